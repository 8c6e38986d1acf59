// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "clara_fastio/entry.hpp"
#include "client/tables.hpp"

namespace clara_fastio::client {

/// Memory of this process's own allocations that nobody uses any more, kept warm.
///
/// Of the smallest that are large enough, the last one given back is the first taken, for its pages
/// are in the caches. Taking one asks nobody: an allocation that was published before is taken only
/// when no process refers to it.
/// Thread safety: all members from any thread.
class Pool {
 public:
  struct Item {
    std::uint32_t index;
    std::uint64_t generation;
    std::shared_ptr<Block> block;
  };

  explicit Pool(std::uint64_t limit) : limit_(limit) {}

  /// Requires: once for each time that the memory became unused.
  void put(Item item);
  /// One whose capacity is enough and not wasteful.
  std::optional<Item> take(std::uint64_t nbytes, const Tables& tables);
  /// The oldest ones above the limit.
  std::vector<Item> overflow();
  /// Everything.
  std::vector<Item> drain();
  bool is_over() const;

 private:
  /// Orders by size, and the last one given back first.
  struct Key {
    std::uint64_t capacity;
    std::uint64_t age;
    auto operator<=>(const Key&) const = default;
  };
  using Items = std::map<Key, Item>;

  /// Requires: the mutex.
  Item remove(Items::iterator at);

  mutable std::mutex mutex_;
  const std::uint64_t limit_;
  std::uint64_t nbytes_ = 0;
  std::uint64_t next_age_ = UINT64_MAX;  ///< Counts down.
  Items items_;
  std::map<std::uint64_t, std::uint64_t> capacity_of_age_;
};

}  // namespace clara_fastio::client
