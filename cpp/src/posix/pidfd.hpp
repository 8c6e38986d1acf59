// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string_view>

#include "posix/unique_fd.hpp"

namespace clara_fastio::posix {

/// Opens a descriptor of a process, which becomes readable when the process has ended.
///
/// The kernel reports the end after the memory of the process is torn down: from then on it writes
/// nothing any more.
///
/// Throws: Errc::not_found when there is no such process, else Errc::system.
UniqueFd open_pidfd(pid_t pid);

/// The process that a pidfd stands for, as numbered in our pid namespace.
///
/// -1 when `fd` is not a pidfd or the process was reaped; 0 when it lives where we cannot see it.
pid_t pid_of_pidfd(int fd);

/// True when the process has ended, reaped or not. Never waits.
bool has_exited(int pidfd) noexcept;

/// Takes the number behind "Pid:" out of the text of a fdinfo file; -1 when there is none.
pid_t parse_fdinfo_pid(std::string_view text) noexcept;

}  // namespace clara_fastio::posix
