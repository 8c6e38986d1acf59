// SPDX-License-Identifier: Apache-2.0
#include "posix/pidfd.hpp"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <string>

#include "clara_fastio/error.hpp"
#include "posix/system_error.hpp"
#include "posix/text_file.hpp"

namespace clara_fastio::posix {

UniqueFd open_pidfd(pid_t pid) {
  // Always closed on exec. Not in every C library, hence by number.
  UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (fd) return fd;
  const std::string what = "process " + std::to_string(pid);
  if (errno == ESRCH) throw Error(Errc::not_found, what + ": no such process", ESRCH);
  throw_system_error("pidfd_open", what);
}

pid_t pid_of_pidfd(int fd) {
  const auto text = read_text_file("/proc/self/fdinfo/" + std::to_string(fd));
  return text ? parse_fdinfo_pid(*text) : -1;
}

bool has_exited(int pidfd) noexcept {
  pollfd watched{pidfd, POLLIN, 0};
  int result = 0;
  do {
    result = ::poll(&watched, 1, 0);
  } while (result < 0 && errno == EINTR);
  return result == 1 && (watched.revents & POLLIN) != 0;
}

pid_t parse_fdinfo_pid(std::string_view text) noexcept {
  while (!text.empty()) {
    std::string_view line = take_line(text);
    if (take_word(line) != "Pid:") continue;
    const std::string_view digits = take_word(line);
    pid_t pid = -1;
    const char* const end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, pid);
    return error == std::errc{} && stop == end ? pid : -1;
  }
  return -1;
}

}  // namespace clara_fastio::posix
