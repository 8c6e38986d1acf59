// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "posix/unique_fd.hpp"

namespace clara_fastio::posix {

/// Opens a directory that nobody else may enter; makes it, with mode 0700, when it is missing.
///
/// Throws: Errc::invalid_argument when it is a symbolic link, no directory, of another user, or
/// open to group or others; the message says what to do. Else Errc::system.
UniqueFd open_private_directory(const std::string& path);

/// Takes the exclusive lock of a file in a directory and makes the file when it is missing.
///
/// Nothing when somebody else holds it. The lock ends when the last copy of the descriptor is
/// closed; a forked child without exec holds one as well.
///
/// Requires: `name` is a plain file name.
/// Throws: Errc::system.
std::optional<UniqueFd> try_lock_file(int directory_fd, const std::string& name);

/// The names in a directory, without "." and "..".
std::vector<std::string> list_directory(int directory_fd);

/// Removes a file; fine when there is none.
void remove_file(int directory_fd, const std::string& name) noexcept;

}  // namespace clara_fastio::posix
