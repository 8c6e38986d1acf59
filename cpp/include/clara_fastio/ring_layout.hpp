// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "clara_fastio/shape.hpp"

/// The words of a stream of frames, byte by byte; `docs/design/frames.md` says who changes them
/// how.
///
/// The ring segment holds the words that several processes write; a frame's head and content lie
/// in the block of the variable, which its producer alone writes.
namespace clara_fastio::layout {

inline constexpr std::uint32_t kMaxRingSlots = 126;
inline constexpr std::uint32_t kMaxLanes = 32;
inline constexpr std::uint32_t kMaxMembers = 64;
inline constexpr std::uint32_t kFrameHeaderBytes = 64;
inline constexpr std::uint32_t kLatencyBuckets = 64;
inline constexpr std::uint64_t kMostSpinNs = 1'000'000'000;

enum class StreamState : std::uint32_t { open = 0, finished = 1, died = 2, left = 3 };

/// A cell: what a lane wants of the frame in a slot.
namespace cell {

inline constexpr std::uint64_t kFree = 0;
inline constexpr std::uint64_t kQueued = 1;
inline constexpr std::uint64_t kHeld = 2;

constexpr std::uint64_t queued(std::uint64_t number) { return number << 8 | kQueued; }
constexpr std::uint64_t held(std::uint64_t number, std::uint32_t member) {
  return number << 8 | std::uint64_t{member} << 2 | kHeld;
}
constexpr bool is_queued(std::uint64_t word) { return (word & 3) == kQueued; }
constexpr bool is_held(std::uint64_t word) { return (word & 3) == kHeld; }
constexpr std::uint64_t number(std::uint64_t word) { return word >> 8; }
constexpr std::uint32_t member(std::uint64_t word) { return word >> 2 & 63; }

}  // namespace cell

struct alignas(64) RingHeader {
  // Written by the host; the state by the producer too.
  std::uint64_t magic;
  std::uint32_t slots;
  std::atomic<std::uint32_t> lanes;  ///< that were ever used
  std::atomic<std::uint64_t> open;   ///< a bit for each lane that gets frames
  std::atomic<std::uint32_t> state;  ///< StreamState
  std::uint32_t reserved;
  std::uint64_t padding[4];

  // Written by the producer.
  alignas(64) std::atomic<std::uint64_t> produced;  ///< frames committed
  std::atomic<std::uint64_t> unclaimed;             ///< of these, while nobody consumed
  std::atomic<std::uint64_t> blocked_ns;            ///< time that it waited for a slot
  std::atomic<std::uint64_t> next_number;           ///< of a frame at least

  // Where the producer sleeps.
  alignas(64) std::atomic<std::uint32_t> asleep;
  std::atomic<std::uint32_t> emptied;  ///< futex: a slot may be free
};
static_assert(sizeof(RingHeader) == 192);

/// One edge from the producer to a consumer, or to a group of them.
struct alignas(64) Lane {
  /// The last frame that was queued completely; frames of a lane are counted from 1.
  std::atomic<std::uint64_t> accepted;
  std::atomic<std::uint32_t> event;  ///< futex: a frame, or the end
  std::uint32_t reserved;
  std::atomic<std::uint64_t> cells[kMaxRingSlots];

  alignas(64) std::atomic<std::uint64_t> sleepers;  ///< a bit for each member
  alignas(64) std::atomic<std::uint64_t> skipped;   ///< by `sample`; the producer's

  // Written by the host.
  alignas(64) std::atomic<std::uint32_t> policy;
  std::atomic<std::uint32_t> parameter;
  std::atomic<std::uint32_t> is_shared;
  std::uint32_t name_nbytes;
  std::atomic<std::uint64_t> deadline_ns;      ///< a frame taken later than this is late; 0: never
  std::atomic<std::uint64_t> accepted_before;  ///< by who had the lane before
  std::atomic<std::uint64_t> skipped_before;
  std::atomic<std::uint64_t> taken;   ///< by members that are gone
  std::atomic<std::uint64_t> late;    ///< likewise
  std::atomic<std::uint64_t> lost;    ///< held by members that died
  std::atomic<std::uint64_t> unread;  ///< queued when the lane was closed
  char name[256];
  std::atomic<std::uint64_t> latencies[kLatencyBuckets];  ///< of members that are gone
};
static_assert(sizeof(Lane) == 2048);
static_assert(offsetof(Lane, sleepers) == 1024);

/// One consumer's place in a lane.
struct alignas(64) Member {
  // Written by the consumer.
  std::atomic<std::uint64_t> taking;  ///< the frame it takes, or took last
  std::atomic<std::uint64_t> base;    ///< taken before that one
  std::atomic<std::uint64_t> taken;
  std::atomic<std::uint64_t> late;
  std::uint64_t spare[4];
  std::atomic<std::uint64_t> latencies[kLatencyBuckets];

  // Written by the host.
  alignas(64) std::atomic<std::uint32_t> state;  ///< 0 free, 1 in use, 2 leaving, 3 left
  std::uint32_t lane;
  std::uint32_t slot;  ///< of its process
  std::uint32_t pid;
};
static_assert(sizeof(Member) == 640);
inline constexpr std::uint32_t kMemberLeft = 3;  ///< its numbers stay until the place is needed

inline constexpr std::uint64_t kRingMagic = 0x31474e4952494643;  // "CFIRING1"
inline constexpr std::uint64_t kLanesOffset = 4096;
inline constexpr std::uint64_t kMembersOffset = kLanesOffset + kMaxLanes * sizeof(Lane);
inline constexpr std::uint64_t kRingBytes =
    (kMembersOffset + kMaxMembers * sizeof(Member) + 4095) / 4096 * 4096;

/// Of one slot, in the producer's block. All heads lie before the first content.
struct alignas(64) FrameHead {
  std::atomic<std::uint64_t> version;  ///< twice the frames it held; odd while one is written
  std::uint64_t number;                ///< of the frame in its stream, from 0
  std::uint64_t committed_monotonic;   ///< CLOCK_MONOTONIC, ns
  std::uint32_t ndim;
  std::uint32_t reserved;
  std::uint64_t spare[4];
  unsigned char header[kFrameHeaderBytes];
  std::int64_t dimensions[kMaxDimensions];
};
static_assert(sizeof(FrameHead) == 384);

/// Where things are in the data of a variable with a queue.
struct SlotPlan {
  std::uint64_t first;   ///< offset of the content of slot 0
  std::uint64_t stride;  ///< from one slot to the next
  std::uint64_t nbytes;  ///< of everything

  /// On a device the contents lie there, and what is before the first of them on the host.
  static constexpr SlotPlan of(std::uint32_t slots, std::uint64_t slot_nbytes,
                               bool on_device = false) {
    const std::uint64_t unit = slot_nbytes >= 4096 ? 4096 : on_device ? 512 : 64;
    const auto up = [unit](std::uint64_t value) { return (value + unit - 1) / unit * unit; };
    const std::uint64_t first = up(slots * sizeof(FrameHead));
    const std::uint64_t stride = up(slot_nbytes);
    return {first, stride, first + slots * stride};
  }
};

/// The bucket of a latency: two for each power of two, the first from 256 ns down.
constexpr std::uint32_t latency_bucket(std::uint64_t ns) {
  if (ns < 256) return 0;
  const auto bits = static_cast<std::uint32_t>(63 - __builtin_clzll(ns));
  const std::uint32_t half = (ns >> (bits - 1) & 1) != 0 ? 1 : 0;
  const std::uint32_t bucket = 2 * (bits - 8) + half + 1;
  return bucket < kLatencyBuckets ? bucket : kLatencyBuckets - 1;
}
/// The upper end of a bucket in ns.
constexpr std::uint64_t latency_of_bucket(std::uint32_t bucket) {
  if (bucket == 0) return 256;
  const std::uint32_t bits = (bucket - 1) / 2 + 8;
  return (bucket - 1) % 2 == 0 ? 3ull << (bits - 1) : 2ull << bits;
}

}  // namespace clara_fastio::layout
