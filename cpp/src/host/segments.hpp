// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bitset>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "clara_fastio/layout.hpp"
#include "clara_fastio/protocol.hpp"
#include "posix/unique_fd.hpp"

namespace clara_fastio::host {

/// Bytes that a block needs: head, attributes, data; and where its data begins.
struct BlockSize {
  std::uint64_t nbytes;
  std::uint32_t data_offset;
  std::uint32_t attributes_capacity;
  bool shares_arena;

  static BlockSize of(std::uint64_t capacity, std::uint32_t attributes_nbytes, bool own_segment);
  /// Of device memory, where there is nothing but data.
  static BlockSize of_device(std::uint64_t capacity);
};

/// Whose memory it is, and of which kind.
struct Owner {
  std::uint32_t producer = layout::kNone;
  layout::EntryKind kind = layout::EntryKind::none;
  layout::Transport transport = layout::Transport::none;  ///< of device memory
  layout::DeviceId device{};

  auto operator<=>(const Owner&) const = default;
};

/// One memfd, or one piece of device memory as its descriptor or handle, kept by the host alone.
struct Segment {
  std::uint64_t id = 0;
  posix::UniqueFd fd;  ///< none for device memory with a handle
  std::uint64_t nbytes = 0;
  Owner owner;
  bool is_arena = false;
  bool is_sealed = false;
  std::uint32_t maker = layout::kNone;  ///< of device memory: its slot, also when it is gone
  protocol::DeviceIdentity identity;    ///< of device memory
  bool waits_for_mappers = false;       ///< retired, but its maker may not free it yet
  std::uint32_t blocks = 0;
  std::uint64_t used = 0;  ///< arena: bytes handed out from the start
  std::map<std::uint64_t, std::vector<std::uint64_t>> freed;  ///< arena: size to offsets
  std::bitset<layout::kMaxProcesses> mappers;

  bool is_device() const noexcept { return owner.transport != layout::Transport::none; }
  /// Whether it is its maker's process that keeps it, and that must not free it under others.
  bool ends_with_maker() const noexcept { return owner.transport == layout::Transport::legacy; }
};

/// The segments of a context and the blocks in them.
///
/// A block above one unit has a segment of its own; smaller ones share an arena of their producer.
/// An arena is used by one producer and one kind of entry only, so a seal never hits a stranger.
/// Thread safety: the server thread alone.
class Segments {
 public:
  Segment& add(posix::UniqueFd fd, std::uint64_t nbytes, const Owner& owner, bool is_arena);
  Segment* find(std::uint64_t id) noexcept;
  void remove(std::uint64_t id) noexcept;

  /// A block in an arena of this producer, if one has room.
  std::optional<layout::Location> take_block(const Owner& owner, const BlockSize& size);
  /// The block at the start of a segment of its own.
  layout::Location whole(Segment& segment, const BlockSize& size);
  /// Gives a block back. Returns whether its segment is of no more use to anybody.
  bool give_back(const layout::Location& location) noexcept;
  /// The producer is gone for good: its arenas take no new blocks. Returns the empty ones.
  std::vector<std::uint64_t> orphan(std::uint32_t producer) noexcept;

  /// Of the host's memory.
  std::uint64_t reserved_bytes() const noexcept { return reserved_; }
  std::unordered_map<std::uint64_t, std::unique_ptr<Segment>>& all() noexcept { return segments_; }

 private:
  using Arenas = std::vector<Segment*>;

  layout::Location place(Segment& segment, std::uint64_t offset, const BlockSize& size);

  std::uint64_t last_id_ = 0;
  std::uint64_t reserved_ = 0;
  std::map<Owner, Arenas> arenas_;  ///< those that take new blocks
  std::unordered_map<std::uint64_t, std::unique_ptr<Segment>> segments_;
};

}  // namespace clara_fastio::host
