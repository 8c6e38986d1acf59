// SPDX-License-Identifier: Apache-2.0
#include "client/pool.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace clara_fastio::client {
namespace {

/// A block may be this much larger than what is asked for.
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
  nbytes_ += item.block->location.capacity;
  items_.push_back(std::move(item));
}

std::optional<Pool::Item> Pool::take(std::uint64_t nbytes, const Tables& tables) {
  const std::lock_guard lock(mutex_);
  for (auto item = items_.rbegin(); item != items_.rend(); ++item) {
    const std::uint64_t capacity = item->block->location.capacity;
    if (capacity < nbytes || capacity / kWaste > std::max(nbytes, layout::kUnit / 2)) continue;
    if (!is_free(*item, tables)) continue;
    Item taken = std::move(*item);
    items_.erase(std::next(item).base());
    nbytes_ -= capacity;
    return taken;
  }
  return std::nullopt;
}

std::vector<Pool::Item> Pool::overflow() {
  const std::lock_guard lock(mutex_);
  auto end = items_.begin();
  for (; nbytes_ > limit_ && end != items_.end(); ++end) {
    nbytes_ -= end->block->location.capacity;
  }
  std::vector<Item> oldest(std::make_move_iterator(items_.begin()), std::make_move_iterator(end));
  items_.erase(items_.begin(), end);
  return oldest;
}

std::vector<Pool::Item> Pool::drain() {
  const std::lock_guard lock(mutex_);
  nbytes_ = 0;
  return std::exchange(items_, {});
}

bool Pool::is_over() const {
  const std::lock_guard lock(mutex_);
  return nbytes_ > limit_;
}

}  // namespace clara_fastio::client
