// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>

#include "posix/futex.hpp"

namespace clara_fastio::client {

/// How long a wait looks before it sleeps.
///
/// To wake another processor takes longer than most frames take to come, but to look in vain is
/// time lost for everybody. So the bound follows what happened: a wait that was short brings it
/// back to the most that is allowed, one in vain halves it.
/// Thread safety: none.
class Spin {
 public:
  /// On a machine with one processor it never looks: that would keep the other side from working.
  explicit Spin(std::chrono::nanoseconds most) noexcept;

  /// Looks until `done` says so, or the bound is over. Returns what `done` said last.
  template <typename Done>
  bool until(Done done) {
    if (bound_.count() == 0) return false;
    const auto start = Clock::now();
    for (;;) {
      for (int i = 0; i < kLooks; ++i) {
        if (done()) return true;
        posix::pause();
      }
      if (Clock::now() - start >= bound_) break;
    }
    bound_ = bound_ < kLeast ? std::chrono::nanoseconds(0) : bound_ / 2;
    return false;
  }
  /// What was waited for came so long after the wait had begun.
  void came_after(std::chrono::nanoseconds time) noexcept {
    if (time < most_) bound_ = most_;
  }
  /// The same for who knows only how long it slept: the wake-up is part of that.
  void slept(std::chrono::nanoseconds time) noexcept { came_after(time - kWakeTime); }
  bool is_on() const noexcept { return most_.count() > 0; }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr int kLooks = 32;
  static constexpr std::chrono::nanoseconds kLeast{1'000};
  static constexpr std::chrono::nanoseconds kWakeTime{20'000};

  std::chrono::nanoseconds most_;
  std::chrono::nanoseconds bound_;
};

}  // namespace clara_fastio::client
