// SPDX-License-Identifier: Apache-2.0
#include "posix/random.hpp"

#include <sys/random.h>

#include "posix/system_error.hpp"

namespace clara_fastio::posix {

void fill_random(unsigned char* bytes, std::size_t count) {
  // Up to 256 bytes come whole or not at all.
  if (getrandom(bytes, count, 0) != static_cast<ssize_t>(count)) {
    throw_system_error("getrandom", "a random token");
  }
}

}  // namespace clara_fastio::posix
