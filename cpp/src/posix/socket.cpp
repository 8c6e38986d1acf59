// SPDX-License-Identifier: Apache-2.0
#include "posix/socket.hpp"

#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstring>

#include "clara_fastio/error.hpp"
#include "posix/system_error.hpp"
#include "posix/text_file.hpp"

namespace clara_fastio::posix {
namespace {

struct Address {
  sockaddr_un data{};
  socklen_t length = 0;
  std::string name;

  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&data); }
};

// `first` is where the name begins: 1 leaves the zero byte that makes it abstract.
Address make_address(std::string_view name, std::size_t first) {
  if (name.empty() || name.size() > kMaxSocketName) {
    throw Error(Errc::invalid_argument, "socket name of " + std::to_string(name.size()) +
                                            " bytes; 1 to " + std::to_string(kMaxSocketName) +
                                            " are possible");
  }
  Address address;
  address.data.sun_family = AF_UNIX;
  std::memcpy(address.data.sun_path + first, name.data(), name.size());
  // A path ends with a zero byte, an abstract name with its last character.
  address.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + 1);
  address.name = (first == 1 ? "socket @" : "socket ") + std::string(name);
  return address;
}

Address path_address(int directory_fd, const std::string& file) {
  if (file.empty() || file.find('/') != std::string::npos) {
    throw Error(Errc::invalid_argument, "socket file '" + file + "' is not a plain file name");
  }
  return make_address("/proc/self/fd/" + std::to_string(directory_fd) + "/" + file, 0);
}

UniqueFd make_socket(int flags, const std::string& what) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0));
  if (!fd) throw_system_error("socket", what);
  return fd;
}

UniqueFd listen_at(const Address& address) {
  UniqueFd fd = make_socket(SOCK_NONBLOCK, address.name);
  if (::bind(fd.get(), address.get(), address.length) != 0) {
    if (errno != EADDRINUSE) throw_system_error("bind", address.name);
    throw Error(Errc::already_exists, address.name + " is taken", EADDRINUSE);
  }
  if (::listen(fd.get(), kBacklog) != 0) throw_system_error("listen", address.name);
  return fd;
}

// A connect to a full queue sleeps in the kernel; for ever if nothing were set here.
void limit_waiting(int fd, std::chrono::milliseconds left, const std::string& what) {
  timeval limit{};
  limit.tv_sec = static_cast<time_t>(left.count() / 1000);
  limit.tv_usec = static_cast<suseconds_t>(left.count() % 1000 * 1000);
  if (::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0) {
    throw_system_error("setsockopt(SO_SNDTIMEO)", what);
  }
}

std::chrono::milliseconds time_left(std::chrono::steady_clock::time_point end) {
  const auto left = end - std::chrono::steady_clock::now();
  return std::max(std::chrono::ceil<std::chrono::milliseconds>(left),
                  std::chrono::milliseconds::zero());
}

UniqueFd connect_to(const Address& address, std::chrono::milliseconds timeout) {
  UniqueFd fd = make_socket(0, address.name);
  const auto end = std::chrono::steady_clock::now() + timeout;
  do {
    // Never zero, which would mean for ever.
    limit_waiting(fd.get(), std::max(time_left(end), std::chrono::milliseconds(1)), address.name);
    if (::connect(fd.get(), address.get(), address.length) == 0) return fd;
  } while (errno == EINTR);
  if (errno == ECONNREFUSED || errno == ENOENT) {
    throw Error(Errc::not_found, address.name + ": nobody listens there", errno);
  }
  if (errno == EAGAIN) {
    throw Error(Errc::host_unresponsive,
                address.name + ": the host accepts no connections; is it stopped?", EAGAIN);
  }
  throw_system_error("connect", address.name);
}

}  // namespace

std::pair<UniqueFd, UniqueFd> seqpacket_pair() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw_system_error("socketpair", "connection");
  }
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

UniqueFd listen_abstract(std::string_view name) { return listen_at(make_address(name, 1)); }

UniqueFd connect_abstract(std::string_view name, std::chrono::milliseconds timeout) {
  return connect_to(make_address(name, 1), timeout);
}

UniqueFd listen_path(int directory_fd, const std::string& file) {
  return listen_at(path_address(directory_fd, file));
}

UniqueFd connect_path(int directory_fd, const std::string& file,
                      std::chrono::milliseconds timeout) {
  return connect_to(path_address(directory_fd, file), timeout);
}

std::optional<UniqueFd> accept_connection(int fd) {
  for (;;) {
    UniqueFd connection(::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (connection) return connection;
    if (errno == EAGAIN) return std::nullopt;
    if (errno != EINTR && errno != ECONNABORTED) throw_system_error("accept4", "listening socket");
  }
}

Credentials peer_credentials(int fd) {
  ucred found{};
  socklen_t length = sizeof found;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &found, &length) != 0) {
    throw_system_error("getsockopt(SO_PEERCRED)", "connection");
  }
  return {found.pid, found.uid, found.gid};
}

void enable_credentials(int fd) {
  const int on = 1;
  if (::setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0) {
    throw_system_error("setsockopt(SO_PASSCRED)", "connection");
  }
}

bool wait_readable(int fd, int other_fd, std::chrono::milliseconds timeout) {
  const bool for_ever = timeout < std::chrono::milliseconds::zero();
  // Bounded, so that the sum stays inside the clock.
  const auto end = std::chrono::steady_clock::now() +
                   std::min<std::chrono::milliseconds>(timeout, std::chrono::hours(24 * 365));
  std::array<pollfd, 2> watched{{{fd, POLLIN, 0}, {other_fd, POLLIN, 0}}};
  for (;;) {
    const auto left = std::min<std::chrono::milliseconds::rep>(time_left(end).count(), INT_MAX);
    const int limit = for_ever ? -1 : static_cast<int>(left);
    const int count = ::poll(watched.data(), watched.size(), limit);
    if (count > 0) return watched[0].revents != 0;
    if (count < 0 && errno != EINTR) throw_system_error("poll", "connection");
    if (!for_ever && time_left(end) == std::chrono::milliseconds::zero()) return false;
  }
}

std::vector<std::string> list_abstract(std::string_view prefix) {
  const auto text = read_text_file("/proc/net/unix");
  if (!text) throw_system_error("read", "/proc/net/unix");
  return parse_abstract_names(*text, prefix);
}

std::vector<std::string> parse_abstract_names(std::string_view text, std::string_view prefix) {
  constexpr unsigned kListens = 1U << 16;
  std::vector<std::string> names;
  while (!text.empty()) {
    // Num RefCount Protocol Flags Type St Inode Path
    std::string_view line = take_line(text);
    std::array<std::string_view, 7> words;
    for (std::string_view& word : words) word = take_word(line);
    unsigned flags = 0;
    std::from_chars(words[3].data(), words[3].data() + words[3].size(), flags, 16);
    if ((flags & kListens) == 0 || words[4] != "0005" || !line.starts_with(" @")) continue;
    line.remove_prefix(2);
    if (line.starts_with(prefix)) names.emplace_back(line);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::size_t unread_bytes(int fd) noexcept {
  int count = 0;
  if (::ioctl(fd, SIOCOUTQ, &count) != 0 || count < 0) return 0;
  return static_cast<std::size_t>(count);
}

}  // namespace clara_fastio::posix
