// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "posix/map.hpp"

namespace clara_fastio::cuda {
class Device;
class Registration;
}  // namespace clara_fastio::cuda

namespace clara_fastio::client {

/// Host memory as the devices of this process reach it: registered whole, once, when it is first
/// asked for in a process that uses a device.
///
/// Lifetime: ends before the map.
/// Thread safety: all members from any thread.
class Pin {
 public:
  Pin();
  ~Pin();
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;

  /// Registers the range for a device that this process uses already; asks again the next time
  /// while there is none. Never throws: memory that is not pinned is slower, and says why.
  void try_on(const posix::Map& map, posix::Access access) noexcept;
  /// The same for a device that is going to be used.
  void try_on(const posix::Map& map, posix::Access access, cuda::Device& device) noexcept;
  bool is_on() const noexcept { return is_on_.load(std::memory_order_acquire); }
  /// Why not, empty when it is on.
  std::string refusal();

 private:
  std::atomic<bool> is_on_ = false;
  std::atomic<bool> is_refused_ = false;
  std::mutex mutex_;
  std::string refusal_;
  std::shared_ptr<cuda::Registration> registration_;
};

}  // namespace clara_fastio::client
