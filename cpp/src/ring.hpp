// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "clara_fastio/ring_layout.hpp"
#include "posix/futex.hpp"

namespace clara_fastio {

/// The words of one stream, wherever this process has them mapped.
///
/// Lifetime: borrows the memory.
class Ring {
 public:
  Ring() = default;
  Ring(std::byte* base, std::uint32_t slots) : base_(base), slots_(slots) {}

  std::uint32_t slots() const noexcept { return slots_; }
  layout::RingHeader& header() const noexcept {
    return *reinterpret_cast<layout::RingHeader*>(base_);
  }
  layout::Lane& lane(std::uint32_t index) const noexcept {
    return reinterpret_cast<layout::Lane*>(base_ + layout::kLanesOffset)[index];
  }
  layout::Member& member(std::uint32_t index) const noexcept {
    return reinterpret_cast<layout::Member*>(base_ + layout::kMembersOffset)[index];
  }
  /// Lanes that were ever used; what others write is never believed beyond its bounds.
  std::uint32_t lanes() const noexcept {
    const std::uint32_t lanes = header().lanes.load(std::memory_order_acquire);
    return lanes < layout::kMaxLanes ? lanes : layout::kMaxLanes;
  }
  layout::StreamState state() const noexcept {
    return static_cast<layout::StreamState>(header().state.load());
  }

  /// A slot may be free: the producer looks again, if it sleeps.
  void announce_emptied() const noexcept {
    header().emptied.fetch_add(1);
    posix::futex_wake_all(header().emptied);
  }
  /// Everybody who waits for frames of the lane looks again.
  static void announce_to_all(layout::Lane& lane) noexcept {
    lane.event.fetch_add(1);
    posix::futex_wake_all(lane.event);
  }

 private:
  std::byte* base_ = nullptr;
  std::uint32_t slots_ = 0;
};

}  // namespace clara_fastio
