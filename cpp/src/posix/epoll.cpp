// SPDX-License-Identifier: Apache-2.0
#include "posix/epoll.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <string>

#include "posix/system_error.hpp"

namespace clara_fastio::posix {
namespace {

void control(int epoll, int operation, int fd, std::uint64_t key, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = key;
  if (::epoll_ctl(epoll, operation, fd, &event) != 0) {
    throw_system_error("epoll_ctl", "descriptor " + std::to_string(fd));
  }
}

}  // namespace

Epoll::Epoll() : fd_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!fd_) throw_system_error("epoll_create1", "epoll");
}

void Epoll::add(int fd, std::uint64_t key, std::uint32_t events) {
  control(fd_.get(), EPOLL_CTL_ADD, fd, key, events);
}

void Epoll::modify(int fd, std::uint64_t key, std::uint32_t events) {
  control(fd_.get(), EPOLL_CTL_MOD, fd, key, events);
}

void Epoll::remove(int fd) noexcept { ::epoll_ctl(fd_.get(), EPOLL_CTL_DEL, fd, nullptr); }

std::span<epoll_event> Epoll::wait(std::chrono::milliseconds timeout) {
  const auto limit =
      static_cast<int>(std::clamp<std::chrono::milliseconds::rep>(timeout.count(), -1, INT_MAX));
  const int count = ::epoll_wait(fd_.get(), events_.data(), kMaxEvents, limit);
  if (count >= 0) return std::span(events_).first(static_cast<std::size_t>(count));
  if (errno != EINTR) throw_system_error("epoll_wait", "epoll");
  return {};
}

}  // namespace clara_fastio::posix
