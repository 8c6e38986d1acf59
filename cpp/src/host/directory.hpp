// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "clara_fastio/layout.hpp"
#include "posix/map.hpp"
#include "posix/unique_fd.hpp"

namespace clara_fastio::host {

/// The tables of a context, from the side that writes them: names, slots, and the lock lines.
///
/// Every change of a record is made between two steps of its sequence number, so that a reader
/// without a lock sees that it read a mixture.
/// Thread safety: the server thread alone.
class Directory {
 public:
  /// Throws: `Errc::out_of_memory`, `Errc::system`.
  Directory(const std::string& name, std::uint32_t capacity);

  layout::DirectoryHeader& header() noexcept;
  layout::SlotRecord& slot(std::uint32_t slot) noexcept { return header().slots[slot]; }
  const layout::EntryRecord& record(std::uint32_t index) noexcept { return entry(index); }
  std::uint32_t index_of(const layout::EntryRecord& record) noexcept {
    return static_cast<std::uint32_t>(&record - &entry(0));
  }
  layout::LockLine& lock(std::uint32_t index) noexcept;
  std::uint32_t high_water() noexcept;

  int tables_fd() const noexcept { return read_only_.get(); }
  int locks_fd() const noexcept { return locks_fd_.get(); }

  /// A free record, with a clean lock line. Throws: `Errc::out_of_memory` when the table is full.
  std::uint32_t take();
  /// Gives a record back. Requires: no name and no memory.
  void give_back(std::uint32_t index) noexcept;
  std::uint64_t next_generation() noexcept { return ++generation_; }

  /// Changes a record; `change` gets it by reference.
  template <typename Change>
  void write(std::uint32_t index, Change change) {
    layout::EntryRecord& target = entry(index);
    target.sequence.fetch_add(1);
    std::atomic_thread_fence(std::memory_order_release);  // Odd before any of what follows.
    change(target);
    target.sequence.fetch_add(1);
  }

  std::optional<std::uint32_t> find(std::string_view name) noexcept;
  /// Names the record and makes it findable. Requires: the name is not taken.
  void link(std::uint32_t index, std::string_view name);
  void unlink(std::uint32_t index) noexcept;

  /// Whether any process, or any but `except`, refers to the entry.
  bool is_referenced(std::uint32_t index, std::uint32_t except = layout::kNone) noexcept;

 private:
  layout::EntryRecord& entry(std::uint32_t index) noexcept;
  std::uint32_t& bucket(std::uint64_t hash) noexcept;
  void announce_names() noexcept;
  void reserve(std::uint32_t entries);

  std::uint32_t capacity_;
  std::uint32_t buckets_;
  std::uint32_t reserved_ = 0;
  std::uint64_t generation_ = 0;
  std::vector<std::uint32_t> free_;
  posix::UniqueFd tables_fd_;
  posix::UniqueFd read_only_;
  posix::UniqueFd locks_fd_;
  posix::Map tables_;
  posix::Map locks_;
};

}  // namespace clara_fastio::host
