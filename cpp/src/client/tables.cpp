// SPDX-License-Identifier: Apache-2.0
#include "client/tables.hpp"

#include <fcntl.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstring>
#include <thread>

#include "clara_fastio/error.hpp"
#include "clara_fastio/ring_layout.hpp"
#include "client/relaxed.hpp"
#include "posix/memfd.hpp"

namespace clara_fastio::client {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds kWriterTime{10};
constexpr int kBusyLooks = 64;
constexpr std::chrono::microseconds kLookAgain{100};

[[noreturn]] void throw_layout(const std::string& what) {
  throw Error(Errc::layout, "the tables of the context are damaged: " + what);
}

void require_seals(int fd, int wanted, const char* what) {
  if ((posix::seals(fd) & wanted) != wanted) {
    throw Error(Errc::seal, std::string("the ") + what +
                                " that the host handed out is not sealed as it must be");
  }
}

}  // namespace

void require_inside(const layout::Location& at) {
  if (at.segment == 0 || at.offset > at.segment_nbytes || at.offset % alignof(layout::Head) != 0 ||
      at.data_offset > at.segment_nbytes - at.offset || at.data_offset < sizeof(layout::Head) ||
      at.attributes_capacity > at.data_offset - sizeof(layout::Head) ||
      at.capacity > at.segment_nbytes - at.offset - at.data_offset) {
    throw_layout("a block lies outside its segment");
  }
}

Tables::Tables(posix::UniqueFd directory, posix::UniqueFd locks) {
  require_seals(directory.get(), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE, "directory");
  require_seals(locks.get(), F_SEAL_SHRINK | F_SEAL_GROW, "lock table");
  const std::uint64_t directory_nbytes = posix::size_of(directory.get());
  const std::uint64_t locks_nbytes = posix::size_of(locks.get());
  if (directory_nbytes < sizeof(layout::DirectoryHeader)) throw_layout("too short");
  directory_ = posix::Map::of(directory.get(), 0, directory_nbytes, posix::Access::read_only, false,
                              /*inherit_on_fork=*/false);
  locks_ = posix::Map::of(locks.get(), 0, locks_nbytes, posix::Access::read_write, false,
                          /*inherit_on_fork=*/false);
  const layout::DirectoryHeader& head = header();
  capacity_ = head.capacity;
  buckets_ = head.buckets;
  if (head.magic != layout::kMagic) throw_layout("the magic number is wrong");
  if (head.major != layout::kMajor) {
    throw Error(Errc::version_mismatch, "the context has layout " + std::to_string(head.major) +
                                            ", this library " + std::to_string(layout::kMajor));
  }
  if (capacity_ > layout::kMaxEntries || !std::has_single_bit(buckets_) ||
      layout::directory_nbytes(capacity_, buckets_) != directory_nbytes ||
      layout::locks_nbytes(capacity_) != locks_nbytes) {
    throw_layout("its sizes do not agree");
  }
}

void require_inside(const layout::DeviceRecord& device) {
  const layout::DeviceLocation& place = device.location;
  const bool is_sound = device.transport <= layout::Transport::staged && device.words > 0 &&
                        device.words <= layout::kMaxRingSlots &&
                        place.offset <= place.segment_nbytes &&
                        place.capacity <= place.segment_nbytes - place.offset;
  if (!is_sound) throw_layout("device memory does not lie inside its segment");
}

const layout::DirectoryHeader& Tables::header() const noexcept {
  return *reinterpret_cast<const layout::DirectoryHeader*>(directory_.data());
}

const layout::EntryRecord& Tables::raw(std::uint32_t index) const noexcept {
  const auto* first = directory_.data() + layout::entries_offset(buckets_);
  return reinterpret_cast<const layout::EntryRecord*>(first)[index];
}

layout::LockLine& Tables::lock(std::uint32_t index) const noexcept {
  return reinterpret_cast<layout::LockLine*>(locks_.data())[index];
}

std::uint32_t Tables::high_water() const noexcept {
  return std::min(header().high_water.load(), capacity_);
}

std::string Tables::name() const {
  const std::uint32_t nbytes = std::min<std::uint32_t>(header().name_nbytes, 255);
  return {header().name, nbytes};
}

Record Tables::read(std::uint32_t index) const {
  const layout::EntryRecord& shared = raw(index);
  alignas(layout::EntryRecord) std::byte bytes[sizeof(layout::EntryRecord)];
  std::optional<steady_clock::time_point> since;
  int looks = 0;
  std::uint32_t sequence = 0;
  for (;;) {
    sequence = shared.sequence.load();
    if (sequence % 2 == 0) {
      copy_relaxed(reinterpret_cast<std::uint32_t*>(bytes),
                   reinterpret_cast<const std::uint32_t*>(&shared), sizeof(bytes) / 4);
      std::atomic_thread_fence(std::memory_order_seq_cst);
      if (shared.sequence.load() == sequence) break;
    }
    if (host_death_ != nullptr && host_death_->load()) {
      throw Error(Errc::host_died, "the host of the context died while it changed an entry");
    }
    if (!since) since = steady_clock::now();
    if (steady_clock::now() - *since > kWriterTime) {
      throw Error(Errc::host_unresponsive,
                  "the host has been changing an entry for 10 seconds; is it stopped?");
    }
    if (++looks < kBusyLooks) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(kLookAgain);  // Its writer lost the processor, or is stopped.
    }
  }
  const auto& copy = *reinterpret_cast<const layout::EntryRecord*>(bytes);
  Record record;
  record.sequence = sequence;
  record.state = copy.state;
  record.kind = copy.kind;
  record.element_type = copy.element_type;
  record.order = copy.order;
  record.generation = copy.generation;
  record.flags = copy.flags;
  record.producer = copy.producer;
  record.role_hash = copy.role_hash;
  record.location = copy.location;
  record.queue = copy.queue;
  record.device = copy.device;
  if (copy.ndim > kMaxDimensions || copy.name_nbytes > layout::kMaxNameBytes ||
      copy.state > layout::EntryState::doomed || copy.kind > layout::EntryKind::variable ||
      copy.order > layout::Order::column_major || copy.queue.slots > layout::kMaxRingSlots) {
    throw_layout("entry " + std::to_string(index) + " holds impossible numbers");
  }
  if (copy.location.segment != 0) require_inside(copy.location);
  if (copy.device.memory == layout::Memory::device) require_inside(copy.device);
  record.shape = Shape::of(std::span(copy.dimensions, copy.ndim));
  record.name.assign(copy.name, copy.name_nbytes);
  return record;
}

std::optional<std::uint32_t> Tables::walk(std::string_view name) const {
  const std::uint64_t hash = layout::hash_of(name.data(), name.size());
  const auto* buckets =
      reinterpret_cast<const std::uint32_t*>(directory_.data() + layout::buckets_offset());
  std::uint32_t index = __atomic_load_n(buckets + (hash & (buckets_ - 1)), __ATOMIC_SEQ_CST);
  // A chain that changes under us, or lies, ends after as many steps as there are entries.
  for (std::uint32_t step = 0; index < high_water() && step < capacity_; ++step) {
    const layout::EntryRecord& candidate = raw(index);
    if (__atomic_load_n(&candidate.name_hash, __ATOMIC_RELAXED) == hash) {
      const Record record = read(index);
      if (record.name == name && record.state == layout::EntryState::live) return index;
    }
    index = __atomic_load_n(&candidate.next, __ATOMIC_SEQ_CST);
  }
  return std::nullopt;
}

std::optional<std::uint32_t> Tables::find(std::string_view name) const {
  for (int tries = 0;; ++tries) {
    const std::uint32_t before = header().unlinks.load();
    const auto found = walk(name);
    // A removal may have led the walk into another chain: then a miss proves nothing.
    if (found || header().unlinks.load() == before || tries == 1000) return found;
  }
}

}  // namespace clara_fastio::client
