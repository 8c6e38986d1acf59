// SPDX-License-Identifier: Apache-2.0
#include "client/spin.hpp"

#include <sched.h>

namespace clara_fastio::client {
namespace {

bool has_two_processors() noexcept {
  cpu_set_t set;
  CPU_ZERO(&set);
  // Where it cannot be told, there are more than fit into the set.
  return ::sched_getaffinity(0, sizeof(set), &set) != 0 || CPU_COUNT(&set) > 1;
}

}  // namespace

Spin::Spin(std::chrono::nanoseconds most) noexcept
    : most_(has_two_processors() ? most : std::chrono::nanoseconds(0)), bound_(most_) {}

}  // namespace clara_fastio::client
