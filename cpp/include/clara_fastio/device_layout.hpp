// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

/// What shared memory says of memory on a device; `docs/design/device_memory.md` explains it.
namespace clara_fastio::layout {

/// Where the data of an entry lies. Heads, attributes and the heads of frames are always the
/// host's.
enum class Memory : std::uint32_t { host = 0, device = 1 };

/// Device memory is made in pieces of at least so much, which small arrays share.
inline constexpr std::uint64_t kDeviceArenaBytes = 64ull << 20;

/// Bytes that an array takes of a segment: in quarters between powers of two where it shares it, so
/// that freed places fit again.
constexpr std::uint64_t device_block_nbytes(std::uint64_t capacity) {
  constexpr std::uint64_t kAlignment = 512;  // What a device likes its arrays to begin at.
  const auto up = [](std::uint64_t value, std::uint64_t unit) {
    return (value + unit - 1) / unit * unit;
  };
  const std::uint64_t nbytes = up(capacity == 0 ? 1 : capacity, kAlignment);
  if (nbytes > kDeviceArenaBytes / 2) return nbytes;
  const std::uint64_t step = std::bit_floor(nbytes) / 4;
  return up(nbytes, step < kAlignment ? kAlignment : step);
}

/// How device memory comes from one process to another.
enum class Transport : std::uint32_t {
  none = 0,
  vmm = 1,     ///< memory of the driver's virtual memory management, exported as a descriptor
  legacy = 2,  ///< memory with a handle of 64 bytes, which dies with its producer
  staged = 3,  ///< host memory, copied to and from the device at each end
};

/// A device by its UUID; all zero while it is the producer's to choose.
struct DeviceId {
  unsigned char bytes[16] = {};

  bool operator==(const DeviceId&) const = default;
  auto operator<=>(const DeviceId&) const = default;
  bool is_any() const { return *this == DeviceId{}; }
};

/// Where the data is in a segment of a device. All zero while there is none, or it is staged.
struct DeviceLocation {
  std::uint64_t segment = 0;         ///< number of the segment, from 1
  std::uint64_t segment_nbytes = 0;  ///< size of the whole segment
  std::uint64_t offset = 0;
  std::uint64_t capacity = 0;

  bool operator==(const DeviceLocation&) const = default;
};

/// Of an entry whose data is on a device; all zero for others.
struct DeviceRecord {
  Memory memory = Memory::host;
  Transport transport = Transport::none;
  DeviceId device;
  DeviceLocation location;
  std::uint64_t words_segment = 0;  ///< of its `DeviceWords`
  std::uint32_t words = 0;          ///< one for each slot of frames, else one
  std::uint32_t reserved = 0;

  bool operator==(const DeviceRecord&) const = default;
};
static_assert(sizeof(DeviceRecord) == 72);

/// How a promise comes true.
enum class Signal : std::uint32_t {
  done = 0,      ///< it was true before it was promised
  timeline = 1,  ///< the device itself writes the word
  event = 2,     ///< an interprocess event; its process writes the word soon after
};

inline constexpr std::uint32_t kDeviceReaders = 256;
/// Writes that devices may have before them at most; who promises more waits.
inline constexpr std::uint64_t kPendingWrites = 256;

/// A promise of a write is its number and who made it, in one word: whoever repairs after a death
/// must not take one process's promise for another's.
namespace promise {

inline constexpr unsigned kBits = 16;

constexpr std::uint64_t of(std::uint64_t number, std::uint32_t slot) {
  return number << kBits | (slot + 1);
}
constexpr std::uint64_t number(std::uint64_t word) { return word >> kBits; }
/// 0xffffffff while there was none.
constexpr std::uint32_t slot(std::uint64_t word) {
  return static_cast<std::uint32_t>(word & ((1u << kBits) - 1)) - 1;
}
constexpr bool is_of(std::uint64_t word, std::uint32_t slot) { return promise::slot(word) == slot; }

}  // namespace promise

/// The words by which processes order their work on one piece of device memory. Everybody may write
/// them, the devices too; they live in host memory so that the host can keep a dead one's promises.
///
/// A promise is a number in `submitted`, which is raised after the work that makes the word beside
/// it reach that number was given to the device. So nobody waits for work that is not under way.
struct alignas(4096) DeviceWords {
  std::atomic<std::uint64_t> written;    ///< writes that the device has finished
  std::atomic<std::uint64_t> submitted;  ///< writes that were given to it: `promise::of`
  std::atomic<std::uint64_t> poisoned;   ///< the last write that will never be whole; 0: none
  std::atomic<Signal> write_signal;
  std::uint32_t reserved;
  std::atomic<std::uint64_t> fresh;  ///< the last write of a whole new content
  std::uint64_t spare[3];

  alignas(64) std::atomic<std::uint64_t> readers[kDeviceReaders / 64];  ///< slots that ever read

  alignas(64) std::atomic<std::uint64_t> read[kDeviceReaders];  ///< reads that are finished
  std::atomic<std::uint64_t> read_submitted[kDeviceReaders];
  std::atomic<Signal> read_signal[kDeviceReaders];
  /// Who made the last promises of writes, each at its number's place: `promise::of`. Written
  /// before `submitted`.
  std::atomic<std::uint64_t> promises[kPendingWrites];
  unsigned char write_event[64];  ///< handle of the writer's event
  unsigned char read_events[kDeviceReaders][64];
};
static_assert(sizeof(DeviceWords) == 24576);
static_assert(offsetof(DeviceWords, readers) == 64);
static_assert(offsetof(DeviceWords, read) == 128);

}  // namespace clara_fastio::layout
