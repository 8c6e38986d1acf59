// SPDX-License-Identifier: Apache-2.0
#include "client/spin.hpp"

#include <unistd.h>

namespace clara_fastio::client {
namespace {

/// Of the machine, not of this process: a process that is bound to one may well wait for another's.
bool has_two_processors() noexcept { return ::sysconf(_SC_NPROCESSORS_ONLN) > 1; }

}  // namespace

Spin::Spin(std::chrono::nanoseconds most) noexcept
    : most_(has_two_processors() ? most : std::chrono::nanoseconds(0)), bound_(most_) {}

}  // namespace clara_fastio::client
