// SPDX-License-Identifier: Apache-2.0
#include "posix/unique_fd.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace clara_fastio::posix {

void UniqueFd::reset(int fd) noexcept {
  const int old = std::exchange(fd_, fd);
  if (old < 0 || old == fd) return;
  const int saved = errno;
  // Not repeated on EINTR: Linux has released the number by then, and another thread may own it.
  ::close(old);
  errno = saved;
}

// Fails for what is no descriptor only.
void UniqueFd::close_on_exec() noexcept { ::fcntl(fd_, F_SETFD, FD_CLOEXEC); }

}  // namespace clara_fastio::posix
