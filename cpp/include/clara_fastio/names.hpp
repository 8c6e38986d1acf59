// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "clara_fastio/export.hpp"

namespace clara_fastio {

/// A name is 1 to 255 bytes of UTF-8 without NUL.
/// Throws: `Errc::invalid_argument` saying what kind of name was refused and why.
CLARA_FASTIO_EXPORT void check_name(std::string_view name, const char* kind);

}  // namespace clara_fastio
