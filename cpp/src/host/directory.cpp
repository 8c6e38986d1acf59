// SPDX-License-Identifier: Apache-2.0
#include "host/directory.hpp"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <ctime>

#include "clara_fastio/error.hpp"
#include "posix/futex.hpp"
#include "posix/memfd.hpp"

namespace clara_fastio::host {
namespace {

constexpr std::uint32_t kReserveStep = 256;

std::uint64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u +
         static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace

Directory::Directory(const std::string& name, std::uint32_t capacity)
    : capacity_(capacity), buckets_(std::bit_ceil(std::max(capacity, 16u))) {
  const std::uint64_t tables_nbytes = layout::directory_nbytes(capacity_, buckets_);
  const std::uint64_t locks_nbytes = layout::locks_nbytes(capacity_);

  tables_fd_ = posix::create_memfd("clara-fastio:" + name + ":directory");
  posix::set_size(tables_fd_.get(), tables_nbytes);
  posix::seal_size(tables_fd_.get());
  posix::reserve(tables_fd_.get(), 0, layout::entries_offset(buckets_));
  // The host's map is made before the seal: it stays the only one that can ever write.
  tables_ = posix::Map::of(tables_fd_.get(), 0, tables_nbytes, posix::Access::read_write, false,
                           /*inherit_on_fork=*/false);
  posix::seal_future_write(tables_fd_.get());
  read_only_ = posix::reopen_read_only(tables_fd_.get());

  locks_fd_ = posix::create_memfd("clara-fastio:" + name + ":locks");
  posix::set_size(locks_fd_.get(), locks_nbytes);
  posix::seal_size(locks_fd_.get());
  locks_ = posix::Map::of(locks_fd_.get(), 0, locks_nbytes, posix::Access::read_write, false,
                          /*inherit_on_fork=*/false);
  reserve(kReserveStep);

  layout::DirectoryHeader& head = header();
  head.magic = layout::kMagic;
  head.major = layout::kMajor;
  head.minor = layout::kMinor;
  head.capacity = capacity_;
  head.buckets = buckets_;
  head.host_pid = getpid();
  head.created = monotonic_ns();
  head.name_nbytes = static_cast<std::uint32_t>(std::min(name.size(), sizeof(head.name)));
  std::memcpy(head.name, name.data(), head.name_nbytes);
  auto* first = reinterpret_cast<std::uint32_t*>(tables_.data() + layout::buckets_offset());
  std::fill(first, first + buckets_, layout::kNone);
}

layout::DirectoryHeader& Directory::header() noexcept {
  return *reinterpret_cast<layout::DirectoryHeader*>(tables_.data());
}

layout::EntryRecord& Directory::entry(std::uint32_t index) noexcept {
  return reinterpret_cast<layout::EntryRecord*>(tables_.data() +
                                                layout::entries_offset(buckets_))[index];
}

layout::LockLine& Directory::lock(std::uint32_t index) noexcept {
  return reinterpret_cast<layout::LockLine*>(locks_.data())[index];
}

std::uint32_t Directory::high_water() noexcept { return header().high_water.load(); }

void Directory::reserve(std::uint32_t entries) {
  const std::uint32_t wanted = std::min(capacity_, layout::kMaxEntries);
  const std::uint32_t to = std::min(wanted, entries);
  if (to <= reserved_) return;
  const std::uint64_t first = layout::entries_offset(buckets_);
  posix::reserve(tables_fd_.get(), first + reserved_ * sizeof(layout::EntryRecord),
                 (to - reserved_) * sizeof(layout::EntryRecord));
  posix::reserve(locks_fd_.get(), reserved_ * sizeof(layout::LockLine),
                 (to - reserved_) * sizeof(layout::LockLine));
  reserved_ = to;
}

std::uint32_t Directory::take() {
  std::uint32_t index = layout::kNone;
  if (!free_.empty()) {
    index = free_.back();
    free_.pop_back();
  } else {
    index = high_water();
    if (index >= capacity_) {
      throw Error(Errc::out_of_memory,
                  "the context has no room for another entry: all " + std::to_string(capacity_) +
                      " are in use; free some, or host the context with a larger capacity",
                  1, 0);
    }
    if (index >= reserved_) reserve(reserved_ + std::max(kReserveStep, reserved_ / 4));
    header().high_water.store(index + 1);
  }
  layout::LockLine& line = lock(index);
  line.writer.store(0);
  for (std::uint32_t word = 0; word < layout::kBitWords; ++word) {
    line.readers[word].store(0);
    line.sleepers[word].store(0);
  }
  // The reference bits stay: one may be set now by a get() that looked up what was here before. It
  // looks at the record next; if it finds its name there anew, that bit is its reference.
  return index;
}

void Directory::give_back(std::uint32_t index) noexcept {
  write(index, [this](layout::EntryRecord& record) {
    record.state = layout::EntryState::free;
    record.kind = layout::EntryKind::none;
    record.generation = next_generation();
    record.producer = layout::kNone;
    record.location = {};
    record.queue = {};
    record.device = {};
  });
  free_.push_back(index);
}

std::uint32_t& Directory::bucket(std::uint64_t hash) noexcept {
  auto* first = reinterpret_cast<std::uint32_t*>(tables_.data() + layout::buckets_offset());
  return first[hash & (buckets_ - 1)];
}

std::optional<std::uint32_t> Directory::find(std::string_view name) noexcept {
  const std::uint64_t hash = layout::hash_of(name.data(), name.size());
  for (std::uint32_t index = bucket(hash); index != layout::kNone; index = entry(index).next) {
    const layout::EntryRecord& candidate = entry(index);
    if (std::string_view(candidate.name, candidate.name_nbytes) == name) return index;
  }
  return std::nullopt;
}

void Directory::link(std::uint32_t index, std::string_view name) {
  const std::uint64_t hash = layout::hash_of(name.data(), name.size());
  std::uint32_t& first = bucket(hash);
  write(index, [&](layout::EntryRecord& record) {
    record.name_nbytes = static_cast<std::uint32_t>(name.size());
    std::memcpy(record.name, name.data(), name.size());
    record.name_hash = hash;
    record.next = first;
    record.state = layout::EntryState::live;
  });
  std::atomic_ref(first).store(index);
  header().live.fetch_add(1);
  announce_names();
}

void Directory::unlink(std::uint32_t index) noexcept {
  std::uint32_t* link = &bucket(entry(index).name_hash);
  while (*link != layout::kNone && *link != index) link = &entry(*link).next;
  if (*link == index) std::atomic_ref(*link).store(entry(index).next);
  header().unlinks.fetch_add(1);
  header().live.fetch_sub(1);
  announce_names();
}

void Directory::announce_names() noexcept {
  header().names.fetch_add(1);
  posix::futex_wake_all(header().names);
}

bool Directory::is_referenced(std::uint32_t index, std::uint32_t except) noexcept {
  for (std::uint32_t word = 0; word < layout::kBitWords; ++word) {
    std::uint64_t bits = lock(index).references[word].load();
    if (except != layout::kNone && except / 64 == word) bits &= ~(1ull << (except % 64));
    if (bits != 0) return true;
  }
  return false;
}

}  // namespace clara_fastio::host
