// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "clara_fastio/export.hpp"

/// `CLARA_FASTIO_OMITTED("name")` is true when a test asked that a step be left out, to prove that
/// another test would notice. Only in test builds; elsewhere it is false.
///
/// CLARA_FASTIO_OMIT="name" leaves the step out each time. The names lie in a section of the
/// binary, so a test can read their list.
#ifdef CLARA_FASTIO_KILL_POINTS

namespace clara_fastio {

CLARA_FASTIO_EXPORT bool is_omitted(const char* name) noexcept;

}  // namespace clara_fastio

#define CLARA_FASTIO_OMITTED(name)                                                          \
  ([] {                                                                                     \
    __attribute__((section("clara_omissions"), used)) static const char kOmission[] = name; \
    return ::clara_fastio::is_omitted(kOmission);                                           \
  }())

#else

#define CLARA_FASTIO_OMITTED(name) false

#endif
