// SPDX-License-Identifier: Apache-2.0
#include "posix/event_fd.hpp"

#include <sys/eventfd.h>

#include "posix/system_error.hpp"

namespace clara_fastio::posix {

EventFd::EventFd() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!fd_) throw_system_error("eventfd", "event descriptor");
}

void EventFd::signal() noexcept {
  // Fails only when 2^64-2 signals are pending, and then it is readable anyway.
  static_cast<void>(::eventfd_write(fd_.get(), 1));
}

void EventFd::drain() noexcept {
  eventfd_t count = 0;
  // Fails only when nothing is pending.
  static_cast<void>(::eventfd_read(fd_.get(), &count));
}

}  // namespace clara_fastio::posix
