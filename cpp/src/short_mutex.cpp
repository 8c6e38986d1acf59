// SPDX-License-Identifier: Apache-2.0
#include "clara_fastio/short_mutex.hpp"

#include <thread>

#include "posix/futex.hpp"

namespace clara_fastio {
namespace {

constexpr int kSpins = 64;

}  // namespace

void ShortMutex::lock_contended() noexcept {
  do {
    for (int i = 0; i < kSpins && is_held_.load(std::memory_order_relaxed); ++i) posix::pause();
    // Its holder lost the processor.
    if (is_held_.load(std::memory_order_relaxed)) std::this_thread::yield();
  } while (is_held_.exchange(true, std::memory_order_acquire));
}

}  // namespace clara_fastio
