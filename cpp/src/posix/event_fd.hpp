// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "posix/unique_fd.hpp"

namespace clara_fastio::posix {

/// A bell that threads ring and an Epoll hears.
///
/// Thread safety: full.
class EventFd {
 public:
  /// Throws: Errc::system.
  EventFd();

  /// Makes fd() readable. Never waits.
  void signal() noexcept;

  /// Makes fd() unreadable again, however often it was signalled.
  void drain() noexcept;

  /// The descriptor to wait on.
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

 private:
  UniqueFd fd_;
};

}  // namespace clara_fastio::posix
