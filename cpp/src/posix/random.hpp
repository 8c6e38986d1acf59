// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace clara_fastio::posix {

/// Fills with bytes that nobody can guess. At most 256. Throws: `Errc::system`.
void fill_random(unsigned char* bytes, std::size_t count);

}  // namespace clara_fastio::posix
