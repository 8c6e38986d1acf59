// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace clara_fastio::posix {

/// A number that differs between a process and its forked child, without a system call.
///
/// Remember it at construction and compare it later: another value means a forked child. The first
/// call installs the fork handler. Raw clone() that is not followed by exec is not noticed.
///
/// Thread safety: full.
std::uint64_t fork_generation() noexcept;

/// Has forked children close `fd` at once, so that a name or a connection ends with this process.
///
/// Thread safety: full. At most 256 descriptors; more are simply inherited.
void close_in_children(int fd) noexcept;
/// Before `fd` is closed here. Fine for a descriptor that was never named.
void forget_in_children(int fd) noexcept;

}  // namespace clara_fastio::posix
