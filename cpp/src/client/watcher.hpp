// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>
#include <unordered_set>
#include <vector>

#include "client/connection.hpp"
#include "client/device_memory.hpp"
#include "client/pool.hpp"
#include "client/segment_cache.hpp"
#include "posix/event_fd.hpp"
#include "posix/unique_fd.hpp"

namespace clara_fastio::client {

/// The background thread of a context: it hears the host's notices, sees the host's death, unmaps
/// what no array needs, and gives back what the pool has too much of.
class Watcher {
 public:
  struct Parts {
    Connection& connection;
    SegmentCache& segments;
    Pool& pool;
    const Tables& tables;
    DeviceMemory& devices;
    /// Makes entries forget their cached blocks of segments that are gone.
    std::function<void(const std::unordered_set<std::uint64_t>& segments)> let_go;
  };

  Watcher(Parts parts, posix::UniqueFd notices, posix::UniqueFd host_pidfd);
  ~Watcher();

  /// There is something to tidy up.
  void wake() noexcept { wake_.signal(); }
  /// Gives device memory of this process back to the host.
  void drop_later(std::uint32_t index, std::uint64_t generation);
  void stop() noexcept;

 private:
  void run() noexcept;
  void read_notices();
  bool read_notice(std::unordered_set<std::uint64_t>& gone);
  void take_back(const protocol::Message& notice);
  void tidy();
  bool settle_devices();
  void drop(const std::vector<Pool::Item>& items);
  bool drop(const Pool::Item& item);

  Parts parts_;
  posix::UniqueFd notices_;
  posix::UniqueFd host_pidfd_;
  posix::EventFd wake_;
  std::mutex dropped_mutex_;
  std::vector<Pool::Item> dropped_;  ///< without a block
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace clara_fastio::client
