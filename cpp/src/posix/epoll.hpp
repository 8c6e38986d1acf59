// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/epoll.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <span>

#include "posix/unique_fd.hpp"

namespace clara_fastio::posix {

/// Waits for many descriptors at once; each is known by a key that its owner chose.
///
/// Lifetime: does not own the descriptors; remove one before closing it.
/// Thread safety: add, modify and remove from any thread; wait from one.
class Epoll {
 public:
  /// Throws: Errc::system.
  Epoll();

  /// Watches `fd` for `events` (EPOLLIN ...). Throws: Errc::system.
  void add(int fd, std::uint64_t key, std::uint32_t events);

  /// Changes key and events of a watched descriptor. Throws: Errc::system.
  void modify(int fd, std::uint64_t key, std::uint32_t events);

  /// Stops watching; fine when it was not watched.
  void remove(int fd) noexcept;

  /// What happened, at most kMaxEvents at once; `data.u64` is the key.
  ///
  /// Empty when the time is over or a signal came. A negative timeout is for ever.
  ///
  /// Lifetime: the events are valid until the next call.
  /// Throws: Errc::system.
  std::span<epoll_event> wait(std::chrono::milliseconds timeout);

  static constexpr int kMaxEvents = 64;

 private:
  UniqueFd fd_;
  std::array<epoll_event, kMaxEvents> events_{};
};

}  // namespace clara_fastio::posix
