// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_set>
#include <utility>

#include "client/pin.hpp"
#include "posix/map.hpp"
#include "posix/unique_fd.hpp"

namespace clara_fastio::client {

/// One segment in the address space of this process.
struct SegmentMap {
  std::uint64_t segment = 0;
  posix::Access access = posix::Access::read_only;
  posix::Map map;
  Pin pin;  ///< Ends before the map.
};

/// The segments that this process has mapped, kept so that a map costs no system call.
///
/// A map whose segment was retired by the host goes as soon as nothing refers to it; others that
/// nothing refers to stay until their bytes exceed a limit, the one used longest ago going first.
/// Thread safety: all members from any thread.
class SegmentCache {
 public:
  using Key = std::pair<std::uint64_t, posix::Access>;

  std::shared_ptr<SegmentMap> find(std::uint64_t segment, posix::Access access);
  std::shared_ptr<SegmentMap> add(std::uint64_t segment, posix::Access access, posix::Map map);
  void retire(std::uint64_t segment);
  /// Unmaps what is not wanted any more; slow, for a background thread.
  void trim();
  /// Whether something waits for its last array to die.
  bool has_retired();
  void clear();

 private:
  struct Item {
    std::shared_ptr<SegmentMap> map;
    std::uint64_t used = 0;
  };

  std::mutex mutex_;
  std::uint64_t clock_ = 0;
  std::map<Key, Item> items_;
  std::unordered_set<std::uint64_t> retired_;
};

}  // namespace clara_fastio::client
