// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "clara_fastio/protocol.hpp"
#include "posix/map.hpp"
#include "ring.hpp"

namespace clara_fastio::host {

/// One stream of frames, from the side that gives out lanes and repairs them.
///
/// Who is a member of what is kept here, in private: the words that clients write are never asked.
/// `docs/design/frames.md` has the steps.
/// Thread safety: the server thread alone.
class Stream {
 public:
  Stream(posix::Map map, std::uint64_t segment, const layout::QueueRecord& queue);

  struct Place {
    std::uint32_t lane;
    std::uint32_t member;
    std::string_view name;
  };
  struct Consumer {
    std::uint32_t slot;
    std::int32_t pid;
  };

  /// The role is that of the consumer, or of the one that is awaited.
  /// Throws: `Errc::already_exists`, `Errc::invalid_argument`, `Errc::out_of_memory`.
  Place subscribe(const protocol::Message& request, std::string name, const std::string& role,
                  const Consumer& consumer);
  /// That consumer will not come. Nothing when it came, or nobody awaited it.
  void unreserve(const std::string& name, const std::string& role) noexcept;
  /// Throws: `Errc::closed` when the place is not that process's.
  void unsubscribe(std::uint32_t member, std::uint32_t slot);
  /// The process is dead, or has left: what it held goes back.
  void repair_consumer(std::uint32_t slot) noexcept;
  void repair_producer(bool has_died) noexcept;
  /// The variable was freed: whoever waits looks again.
  void announce_end() noexcept;

  std::uint64_t segment() const noexcept { return segment_; }
  bool is_open() const noexcept { return ring_.state() == layout::StreamState::open; }

 private:
  enum class MemberState : std::uint32_t {
    free = 0,
    active = 1,
    leaving = 2,
    left = layout::kMemberLeft
  };
  struct MemberRecord {
    MemberState state = MemberState::free;
    std::uint32_t lane = 0;
    Consumer consumer{};
  };
  struct LaneRecord {
    std::string name;
    bool is_open = false;
    bool is_shared = false;
    layout::Policy policy = layout::Policy::none;
    std::uint32_t parameter = 1;
    std::vector<std::string> awaited;  ///< roles; an empty one is whoever comes
    std::uint64_t closed = 0;          ///< when: the lane closed first is used again first
    std::uint64_t purged = 0;          ///< the last frame that was purged from it
  };

  std::uint32_t find_lane(const std::string& name) const noexcept;
  std::uint32_t open_lane(const protocol::Message& request, std::string name);
  std::uint32_t take_lane(const std::string& name);
  void clear_lane(std::uint32_t lane) noexcept;
  void close_lane(std::uint32_t lane) noexcept;
  std::uint64_t purge(std::uint32_t lane) noexcept;
  std::uint32_t take_member();
  void await(std::uint32_t lane, const std::string& role);
  void welcome(std::uint32_t lane, const std::string& role) noexcept;
  void end_member(std::uint32_t member) noexcept;
  void free_member(std::uint32_t member) noexcept;
  void leave(std::uint32_t member) noexcept;
  bool has_members(std::uint32_t lane) const noexcept;
  bool is_wanted(std::uint32_t lane) const noexcept;
  bool holds_frames(std::uint32_t member) const noexcept;
  std::string unique(std::string name) const;

  const posix::Map map_;
  const std::uint64_t segment_;
  const layout::Policy policy_;
  const std::uint32_t parameter_;
  const Ring ring_;
  std::uint32_t used_lanes_ = 0;  ///< that were ever open
  std::uint64_t closings_ = 0;
  std::array<LaneRecord, layout::kMaxLanes> lanes_;
  std::array<MemberRecord, layout::kMaxMembers> members_;
};

}  // namespace clara_fastio::host
