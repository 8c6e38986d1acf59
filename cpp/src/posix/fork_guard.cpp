// SPDX-License-Identifier: Apache-2.0
#include "posix/fork_guard.hpp"

#include <pthread.h>
#include <unistd.h>

#include <array>
#include <atomic>

namespace clara_fastio::posix {
namespace {

std::atomic<std::uint64_t> generation{0};

// Descriptor + 1, so that the zeros of static memory mean "free".
std::array<std::atomic<int>, 256> to_close{};

void in_child() noexcept {
  generation.fetch_add(1, std::memory_order_relaxed);
  for (std::atomic<int>& fd : to_close) {
    if (const int one = fd.exchange(0, std::memory_order_relaxed); one != 0) ::close(one - 1);
  }
}

}  // namespace

std::uint64_t fork_generation() noexcept {
  static const bool installed = ::pthread_atfork(nullptr, nullptr, in_child) == 0;
  // Without memory for the handler the pid serves as well; it only costs a system call.
  if (!installed) return static_cast<std::uint64_t>(::getpid());
  // Relaxed: only the forking thread survives in the child, so nobody else is to be seen.
  return generation.load(std::memory_order_relaxed);
}

void close_in_children(int fd) noexcept {
  (void)fork_generation();  // Installs the handler.
  for (std::atomic<int>& place : to_close) {
    int free = 0;
    if (place.compare_exchange_strong(free, fd + 1)) return;
  }
}

void forget_in_children(int fd) noexcept {
  for (std::atomic<int>& place : to_close) {
    int mine = fd + 1;
    if (place.compare_exchange_strong(mine, 0)) return;
  }
}

}  // namespace clara_fastio::posix
