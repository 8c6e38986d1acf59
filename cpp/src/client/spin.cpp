// SPDX-License-Identifier: Apache-2.0
#include "client/spin.hpp"

#include <unistd.h>

#include <algorithm>

namespace clara_fastio::client {
namespace {

/// A wait that is longer than so many bounds says no more than one that is as long.
constexpr int kLongWait = 4;
/// By how much the last wait changes what is expected: a quarter.
constexpr int kMemory = 4;
/// The other side may have slept itself, and its wake-up is part of this wait: two that sleep only
/// because the other one does would never find out.
constexpr std::chrono::nanoseconds kWakeTime{40'000};

/// Of the machine, not of this process: a process that is bound to one may well wait for another's.
bool has_two_processors() noexcept { return ::sysconf(_SC_NPROCESSORS_ONLN) > 1; }

}  // namespace

Spin::Spin(std::chrono::nanoseconds most) noexcept
    : most_(has_two_processors() ? most : std::chrono::nanoseconds(0)) {}

void Spin::came_after(std::chrono::nanoseconds time) noexcept {
  const auto counted = std::clamp(time - kWakeTime, std::chrono::nanoseconds(0), kLongWait * most_);
  expected_ += (counted - expected_) / kMemory;
}

}  // namespace clara_fastio::client
