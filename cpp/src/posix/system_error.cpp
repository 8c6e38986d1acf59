// SPDX-License-Identifier: Apache-2.0
#include "posix/system_error.hpp"

#include <cerrno>
#include <string>
#include <system_error>

#include "clara_fastio/error.hpp"

namespace clara_fastio::posix {

void throw_system_error(const char* call, std::string_view what) {
  const int code = errno;
  std::string message(what);
  message += ": ";
  message += call;
  message += ": ";
  message += std::generic_category().message(code);
  throw Error(code == ENOMEM ? Errc::out_of_memory : Errc::system, std::move(message), code);
}

}  // namespace clara_fastio::posix
