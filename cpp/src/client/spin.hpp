// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>

#include "posix/futex.hpp"

namespace clara_fastio::client {

/// Whether and how long a wait looks before it sleeps.
///
/// To wake another processor takes longer than most frames take to come, but to look in vain is
/// time lost for everybody. So a wait looks only where the waits before it were short on average;
/// later ones count for more.
/// Thread safety: none.
class Spin {
 public:
  /// On a machine with one processor it never looks: that would keep the other side from working.
  explicit Spin(std::chrono::nanoseconds most) noexcept;

  /// Looks until `done` says so, or it is not worth it any more. Returns what `done` said last.
  template <typename Done>
  bool until(Done done) {
    if (most_.count() == 0 || expected_ > most_) return false;
    const auto start = Clock::now();
    for (std::chrono::nanoseconds passed{0}; passed < most_; passed = Clock::now() - start) {
      for (int i = 0; i < kLooks; ++i) {
        if (done()) {
          came_after(passed);
          return true;
        }
        posix::pause();
      }
    }
    return false;
  }
  /// What was waited for came so long after the wait had begun, as far as that is known.
  void came_after(std::chrono::nanoseconds time) noexcept;

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr int kLooks = 32;

  const std::chrono::nanoseconds most_;
  std::chrono::nanoseconds expected_{0};
};

}  // namespace clara_fastio::client
