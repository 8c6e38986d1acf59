// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "clara_fastio/device_layout.hpp"
#include "clara_fastio/element_type.hpp"
#include "clara_fastio/shape.hpp"

/// What lies in shared memory, byte by byte. `docs/design/memory_layout.md` is its description.
///
/// Three kinds of words, by who may write them: the directory (the host alone), the lock lines
/// (everybody), and the head of each block (the producer of its segment).
namespace clara_fastio::layout {

inline constexpr std::uint64_t kMagic = 0x314f495453414643;  // "CFASTIO1", little endian
inline constexpr std::uint32_t kMajor = 2;
inline constexpr std::uint32_t kMinor = 0;

inline constexpr std::uint32_t kMaxProcesses = 256;
inline constexpr std::uint32_t kBitWords = kMaxProcesses / 64;
inline constexpr std::uint32_t kMaxNameBytes = 255;
inline constexpr std::uint32_t kMaxAttributeBytes = 4096;
inline constexpr std::uint32_t kMaxEntries = 1u << 20;
/// Memory is handed out in this unit; what fits into one unit shares an arena.
inline constexpr std::uint64_t kUnit = 64 * 1024;
inline constexpr std::uint64_t kArenaBytes = 1024 * 1024;
inline constexpr std::uint64_t kDataAlignment = 64;
inline constexpr std::uint32_t kNone = 0xffffffff;

enum class EntryKind : std::uint32_t { none = 0, allocation = 1, variable = 2 };

enum class EntryState : std::uint32_t {
  free = 0,
  /// Has memory and an owner, but no name.
  unpublished = 1,
  /// Found by its name.
  live = 2,
  /// Freed for everybody: not found any more, but those who hold it go on.
  doomed = 3,
};

enum class Order : std::uint32_t { row_major = 0, column_major = 1 };

enum EntryFlags : std::uint32_t {
  kFrozenOnCommit = 1,  ///< declared with `sealed=True`
  kFrozen = 2,          ///< the kernel refuses every write, the producer's too
  kProducerDied = 4,    ///< the last producer died; cleared by the next one
  kBoundToRole = 8,     ///< only the connection of that role may produce it
  kPinned = 16,         ///< processes that use a device register its memory there
  kMayStage = 32,       ///< host memory may stand in for device memory that cannot be shared
  kContentLost = 64,    ///< device memory that ended with its producer; cleared by the next one
};

/// One process of a context. Written by the host.
struct SlotRecord {
  std::atomic<std::uint32_t> state;  ///< 0 free, 1 in use, 2 quarantined: hung up, not dead yet
  std::int32_t pid;                  ///< for people: another PID namespace has other numbers
  std::uint64_t generation;
  std::uint64_t since;  ///< CLOCK_MONOTONIC, ns
  char role[104];       ///< NUL-terminated, cut if longer
};
static_assert(sizeof(SlotRecord) == 128);

/// Where the bytes of an entry are. All zero while there are none.
struct Location {
  std::uint64_t segment = 0;         ///< number of the segment, from 1
  std::uint64_t segment_nbytes = 0;  ///< size of the whole segment
  std::uint64_t offset = 0;          ///< of the head in the segment
  std::uint64_t capacity = 0;        ///< bytes for the data
  std::uint32_t data_offset = 0;     ///< of the data, from the head
  std::uint32_t attributes_capacity = 0;

  bool operator==(const Location&) const = default;
};
static_assert(sizeof(Location) == 40);

/// What an edge does with a frame when there is no room.
enum class Policy : std::uint32_t {
  none = 0,
  block = 1,        ///< the producer waits
  drop_oldest = 2,  ///< the oldest frame that nobody reads goes
  latest = 3,       ///< one frame waits, the newest
  sample = 4,       ///< every n-th frame, then as `drop_oldest`
};

/// Of a variable that carries a stream of frames; all zero for others.
struct QueueRecord {
  std::uint64_t segment = 0;      ///< of the ring's words
  std::uint64_t slot_nbytes = 0;  ///< of the largest frame
  std::uint64_t spin_ns = 0;
  std::uint32_t slots = 0;
  Policy policy = Policy::none;
  std::uint32_t parameter = 0;
  std::uint32_t reserved = 0;
};
static_assert(sizeof(QueueRecord) == 40);

/// One name. Written by the host under `sequence`, which is odd while it writes.
struct EntryRecord {
  std::atomic<std::uint32_t> sequence;
  EntryState state;
  EntryKind kind;
  ElementType element_type;
  std::uint64_t generation;  ///< changes with every use of the record
  Order order;
  std::uint32_t flags;
  std::uint32_t producer;  ///< slot that may write the segment, or kNone
  std::uint32_t next;      ///< next record of the same bucket, or kNone
  std::uint64_t name_hash;
  std::uint64_t role_hash;  ///< 0, or the hash of the only role that may produce it
  Location location;
  std::uint32_t ndim;
  std::uint32_t name_nbytes;
  std::int64_t dimensions[kMaxDimensions];  ///< as declared; -1 is dynamic
  char name[256];
  QueueRecord queue;
  DeviceRecord device;
};
static_assert(sizeof(EntryRecord) == 728);

/// Start of the directory segment, which the kernel lets the host alone write.
struct DirectoryHeader {
  std::uint64_t magic;
  std::uint32_t major;
  std::uint32_t minor;
  std::uint32_t capacity;  ///< entries at most
  std::uint32_t buckets;   ///< a power of two
  std::int32_t host_pid;   ///< for people
  std::uint32_t reserved;
  std::uint64_t created;                  ///< CLOCK_MONOTONIC, ns
  std::atomic<std::uint32_t> high_water;  ///< entries that were ever used: only these have memory
  std::atomic<std::uint32_t> names;       ///< futex: bumped when a name appears or goes
  std::atomic<std::uint32_t> unlinks;     ///< bumped when a name leaves its bucket
  std::atomic<std::uint32_t> live;        ///< names
  std::uint32_t name_nbytes;
  std::uint32_t padding;
  char name[256];
  SlotRecord slots[kMaxProcesses];
};
static_assert(offsetof(DirectoryHeader, slots) == 320);

/// The words of one entry that every process may write.
///
/// The first 64 bytes are the lock; the second hold who refers and who sleeps.
struct alignas(128) LockLine {
  std::atomic<std::uint64_t> writer;  ///< 0, or generation << 8 | slot
  std::atomic<std::uint64_t> readers[kBitWords];
  std::atomic<std::uint32_t> free;     ///< futex: a writer left
  std::atomic<std::uint32_t> drained;  ///< futex: a reader left
  std::uint64_t spare[2];
  std::atomic<std::uint64_t> references[kBitWords];
  std::atomic<std::uint64_t> sleepers[kBitWords];
};
static_assert(sizeof(LockLine) == 128);
static_assert(kDeviceReaders == kMaxProcesses);
static_assert(offsetof(LockLine, references) == 64);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

/// Before the data of each block, in the producer's segment; the attributes follow it.
struct Head {
  std::atomic<std::uint64_t> version;  ///< twice the number of committed writes; odd while writing
  std::uint32_t ndim;
  std::uint32_t attributes_nbytes;
  std::uint64_t committed_monotonic;  ///< CLOCK_MONOTONIC, ns
  std::uint64_t committed_realtime;   ///< CLOCK_REALTIME, ns
  std::uint64_t generation;           ///< of the entry the block was made for
  std::uint64_t spare[3];
  std::int64_t dimensions[kMaxDimensions];
  std::uint64_t padding[8];
};
static_assert(sizeof(Head) == 384);

inline constexpr std::uint64_t align_up(std::uint64_t value, std::uint64_t unit) {
  return (value + unit - 1) / unit * unit;
}

inline constexpr std::uint64_t buckets_offset() { return sizeof(DirectoryHeader); }
inline constexpr std::uint64_t entries_offset(std::uint32_t buckets) {
  return align_up(buckets_offset() + 4ull * buckets, 4096);
}
inline constexpr std::uint64_t directory_nbytes(std::uint32_t capacity, std::uint32_t buckets) {
  return align_up(entries_offset(buckets) + std::uint64_t{capacity} * sizeof(EntryRecord), kUnit);
}
inline constexpr std::uint64_t locks_nbytes(std::uint32_t capacity) {
  return align_up(std::uint64_t{capacity} * sizeof(LockLine), kUnit);
}

/// A name's bucket; FNV-1a, the same in every process.
inline constexpr std::uint64_t hash_of(const char* text, std::size_t nbytes) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (std::size_t i = 0; i < nbytes; ++i) {
    hash = (hash ^ static_cast<unsigned char>(text[i])) * 0x100000001b3;
  }
  return hash == 0 ? 1 : hash;
}

}  // namespace clara_fastio::layout
