// SPDX-License-Identifier: Apache-2.0
#include "client/pool.hpp"

#include <algorithm>
#include <utility>

namespace clara_fastio::client {
namespace {

/// A block may be this many times as large as what is asked for, or as half a unit.
constexpr std::uint64_t kWaste = 2;

/// Whether the memory is still ours, and nobody refers to it.
bool is_free(const Pool::Item& item, const Tables& tables) {
  const layout::EntryRecord& record = tables.raw(item.index);
  if (record.generation != item.generation || record.state == layout::EntryState::live) {
    return false;
  }
  for (const auto& word : tables.lock(item.index).references) {
    if (word.load() != 0) return false;
  }
  return true;
}

}  // namespace

void Pool::put(Item item) {
  const std::lock_guard lock(mutex_);
  const Key key{item.block->location.capacity, next_age_--};
  capacity_of_age_.emplace(key.age, key.capacity);
  items_.emplace(key, std::move(item));
  nbytes_ += key.capacity;
}

std::optional<Pool::Item> Pool::take(std::uint64_t nbytes, const Tables& tables) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t most = kWaste * std::max(nbytes, layout::kUnit / kWaste);
  for (auto at = items_.lower_bound({nbytes, 0}); at != items_.end(); ++at) {
    if (at->first.capacity > most) break;
    if (is_free(at->second, tables)) return remove(at);
  }
  return std::nullopt;
}

std::vector<Pool::Item> Pool::overflow() {
  const std::lock_guard lock(mutex_);
  std::vector<Item> oldest;
  while (nbytes_ > limit_) {
    const auto [age, capacity] = *capacity_of_age_.rbegin();
    oldest.push_back(remove(items_.find({capacity, age})));
  }
  return oldest;
}

std::vector<Pool::Item> Pool::drain() {
  const std::lock_guard lock(mutex_);
  std::vector<Item> all;
  while (!items_.empty()) all.push_back(remove(items_.begin()));
  return all;
}

Pool::Item Pool::remove(Items::iterator at) {
  const auto [capacity, age] = at->first;
  Item item = std::move(at->second);
  items_.erase(at);
  capacity_of_age_.erase(age);
  nbytes_ -= capacity;
  return item;
}

bool Pool::is_over() const {
  const std::lock_guard lock(mutex_);
  return nbytes_ > limit_;
}

}  // namespace clara_fastio::client
