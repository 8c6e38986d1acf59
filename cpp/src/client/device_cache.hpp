// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "cuda/device_segment.hpp"

namespace clara_fastio::client {

/// The device memory that this process has mapped, whichever context it came with.
///
/// Opening takes a millisecond, so it is done once for each segment, not for each message. What the
/// process made itself is never opened: everybody here uses the maker's own mapping.
/// Lifetime: one for the process, never destroyed.
/// Thread safety: all members from any thread. One lock covers look-up, opening and release.
class DeviceCache {
 public:
  /// Never an address, a pid, a descriptor's number or a handle: those are used again for others.
  struct Key {
    std::array<unsigned char, 16> token;  ///< random, of the segment
    std::uint64_t generation;             ///< number of the segment in its context
    std::array<unsigned char, 16> device;
    bool is_read_only;

    auto operator<=>(const Key&) const = default;
  };
  using Segment = std::shared_ptr<cuda::DeviceSegment>;

  struct Counts {
    std::uint64_t opens = 0;    ///< segments of other processes that were mapped so far
    std::uint64_t mapped = 0;   ///< bytes of others that are mapped now
    std::uint64_t evicted = 0;  ///< mappings that were given up for the limit
  };

  static DeviceCache& get();

  /// The segment, opened by `open` if it is not there. `user` may have work under way in it from
  /// now on, until it says `forget`.
  Segment find_or_open(const Key& key, const void* user, const std::function<Segment()>& open);
  /// What this process made, under both accesses.
  void add_own(Key key, const void* user, Segment segment);
  /// Forgets a segment that nothing refers to; it goes with its last user. Returns false while
  /// something refers to it, and the user is to ask again.
  bool forget(const Key& key, const void* user);
  /// Gives up what is unreferenced above the limit, the one used longest ago first; of others than
  /// this user nothing. Requires: no work of the user is under way on any device.
  void trim(const void* user);
  /// Whether `trim` has something to do.
  bool is_over();
  void set_limit(std::uint64_t nbytes);
  Counts counts();

 private:
  struct Item {
    Segment segment;
    std::uint64_t used = 0;
    std::set<const void*> users = {};
  };

  void drop(std::map<Key, Item>::iterator at, std::vector<Segment>& gone);

  std::mutex mutex_;
  std::uint64_t clock_ = 0;
  std::uint64_t limit_ = 16ull << 30;
  Counts counts_;
  std::map<Key, Item> items_;
};

}  // namespace clara_fastio::client
