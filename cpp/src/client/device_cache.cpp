// SPDX-License-Identifier: Apache-2.0
#include "client/device_cache.hpp"

#include <utility>

namespace clara_fastio::client {

DeviceCache& DeviceCache::get() {
  static auto* only = new DeviceCache;  // Never destroyed: arrays may outlive static objects.
  return *only;
}

DeviceCache::Segment DeviceCache::find_or_open(const Key& key, const void* user,
                                               const std::function<Segment()>& open) {
  const std::lock_guard lock(mutex_);
  Item& item = items_[key];
  if (!item.segment) {
    try {
      item.segment = open();
    } catch (...) {
      items_.erase(key);
      throw;
    }
    ++counts_.opens;
    counts_.mapped += item.segment->nbytes();
  }
  item.used = ++clock_;
  item.users.insert(user);
  return item.segment;
}

void DeviceCache::add_own(Key key, const void* user, Segment segment) {
  const std::lock_guard lock(mutex_);
  for (const bool is_read_only : {false, true}) {
    key.is_read_only = is_read_only;
    items_[key] = {segment, ++clock_, {user}};
  }
}

bool DeviceCache::forget(const Key& key, const void* user) {
  std::vector<Segment> gone;  // Unmapped after the lock is given back.
  const std::lock_guard lock(mutex_);
  const auto found = items_.find(key);
  if (found == items_.end()) return true;
  const Segment& segment = found->second.segment;
  // What was made here is listed under both accesses.
  const long listed = segment->is_imported() ? 1 : 2;
  if (segment.use_count() > listed) return false;
  Key other = key;
  other.is_read_only = !key.is_read_only;
  const auto second = listed == 2 ? items_.find(other) : items_.end();
  found->second.users.erase(user);
  bool is_used = !found->second.users.empty();
  if (second != items_.end()) {
    second->second.users.erase(user);
    is_used = is_used || !second->second.users.empty();
  }
  if (is_used) return true;
  if (second != items_.end()) drop(second, gone);
  drop(items_.find(key), gone);
  return true;
}

void DeviceCache::trim(const void* user) {
  std::vector<Segment> gone;
  const std::lock_guard lock(mutex_);
  std::map<std::uint64_t, Key> oldest;
  for (const auto& [key, item] : items_) {
    const bool is_theirs = item.users.size() > item.users.count(user);
    if (item.segment->is_imported() && item.segment.use_count() == 1 && !is_theirs) {
      oldest.emplace(item.used, key);
    }
  }
  for (auto one = oldest.begin(); one != oldest.end() && counts_.mapped > limit_; ++one) {
    drop(items_.find(one->second), gone);
    ++counts_.evicted;
  }
}

void DeviceCache::drop(std::map<Key, Item>::iterator at, std::vector<Segment>& gone) {
  if (at->second.segment->is_imported()) counts_.mapped -= at->second.segment->nbytes();
  gone.push_back(std::move(at->second.segment));
  items_.erase(at);
}

bool DeviceCache::is_over() {
  const std::lock_guard lock(mutex_);
  return counts_.mapped > limit_;
}

void DeviceCache::set_limit(std::uint64_t nbytes) {
  const std::lock_guard lock(mutex_);
  limit_ = nbytes;
}

DeviceCache::Counts DeviceCache::counts() {
  const std::lock_guard lock(mutex_);
  return counts_;
}

}  // namespace clara_fastio::client
