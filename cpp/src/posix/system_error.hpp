// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace clara_fastio::posix {

/// Turns the errno of a failed system call into an Error; the only place that does.
///
/// `call` is the name of the system call, `what` the object it worked on, in words for a person.
/// The message reads "<what>: <call>: <text of errno>".
///
/// Throws: Errc::out_of_memory for ENOMEM, else Errc::system; both carry the errno.
[[noreturn]] void throw_system_error(const char* call, std::string_view what);

}  // namespace clara_fastio::posix
