// SPDX-License-Identifier: Apache-2.0
#include "client/segment_cache.hpp"

#include <vector>

namespace clara_fastio::client {
namespace {

constexpr std::uint64_t kUnreferencedBytes = 1ull << 30;

}  // namespace

std::shared_ptr<SegmentMap> SegmentCache::find(std::uint64_t segment, posix::Access access) {
  const std::lock_guard lock(mutex_);
  const auto found = items_.find({segment, access});
  if (found == items_.end()) return nullptr;
  found->second.used = ++clock_;
  return found->second.map;
}

std::shared_ptr<SegmentMap> SegmentCache::add(std::uint64_t segment, posix::Access access,
                                              posix::Map map) {
  const std::lock_guard lock(mutex_);
  Item& item = items_[{segment, access}];
  if (!item.map) {
    item.map = std::make_shared<SegmentMap>();
    item.map->segment = segment;
    item.map->access = access;
    item.map->map = std::move(map);
  }
  item.used = ++clock_;
  return item.map;
}

void SegmentCache::retire(std::uint64_t segment) {
  const std::lock_guard lock(mutex_);
  retired_.insert(segment);
}

void SegmentCache::trim() {
  std::vector<std::shared_ptr<SegmentMap>> gone;  // Unmapped outside the mutex.
  const std::lock_guard lock(mutex_);
  std::uint64_t idle = 0;
  std::map<std::uint64_t, Key> oldest;
  for (auto item = items_.begin(); item != items_.end();) {
    const bool is_idle = item->second.map.use_count() == 1;
    if (is_idle && retired_.contains(item->first.first)) {
      gone.push_back(std::move(item->second.map));
      item = items_.erase(item);
      continue;
    }
    // A sealed segment can never be mapped for writing again: those maps stay until it is retired.
    if (is_idle && item->first.second == posix::Access::read_only) {
      idle += item->second.map->map.size();
      oldest.emplace(item->second.used, item->first);
    }
    ++item;
  }
  for (auto one = oldest.begin(); one != oldest.end() && idle > kUnreferencedBytes; ++one) {
    const auto found = items_.find(one->second);
    idle -= found->second.map->map.size();
    gone.push_back(std::move(found->second.map));
    items_.erase(found);
  }
  std::erase_if(retired_, [this](std::uint64_t segment) {
    return !items_.contains({segment, posix::Access::read_only}) &&
           !items_.contains({segment, posix::Access::read_write});
  });
}

bool SegmentCache::has_retired() {
  const std::lock_guard lock(mutex_);
  return !retired_.empty();
}

void SegmentCache::clear() {
  const std::lock_guard lock(mutex_);
  items_.clear();
}

}  // namespace clara_fastio::client
