// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>

#include "clara_fastio/export.hpp"

namespace clara_fastio {

/// A mutex of one process, for a few instructions that never wait: one atomic step and one store.
///
/// A map and an unmap take it once each; `std::mutex` would double the price of both. Whoever finds
/// it held spins a little and then lets other threads run.
class CLARA_FASTIO_EXPORT ShortMutex {
 public:
  void lock() noexcept {
    if (is_held_.exchange(true, std::memory_order_acquire)) lock_contended();
  }
  void unlock() noexcept { is_held_.store(false, std::memory_order_release); }

 private:
  void lock_contended() noexcept;

  std::atomic<bool> is_held_ = false;
};

}  // namespace clara_fastio
