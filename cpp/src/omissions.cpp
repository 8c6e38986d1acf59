// SPDX-License-Identifier: Apache-2.0
#include "omissions.hpp"

#ifdef CLARA_FASTIO_KILL_POINTS

#include <cstdlib>
#include <string_view>

namespace clara_fastio {

bool is_omitted(const char* name) noexcept {
  static const char* const omitted = std::getenv("CLARA_FASTIO_OMIT");
  return omitted != nullptr && std::string_view(omitted) == name;
}

}  // namespace clara_fastio

#endif
