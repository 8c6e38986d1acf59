// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "clara_fastio/export.hpp"

/// `CLARA_FASTIO_KILL_POINT("name")` ends the process with SIGKILL at that instruction when a test
/// asked for it. Only in test builds; elsewhere it is nothing.
///
/// CLARA_FASTIO_KILL="name" or "name:3" arms the third pass; CLARA_FASTIO_STOP does so with
/// SIGSTOP, so that others act while the process is held up there. The names lie in a section of
/// the binary, so a test can read their list and see which were never reached.
#ifdef CLARA_FASTIO_KILL_POINTS

namespace clara_fastio {

CLARA_FASTIO_EXPORT void pass_kill_point(const char* name) noexcept;

}  // namespace clara_fastio

#define CLARA_FASTIO_KILL_POINT(name)                                                          \
  do {                                                                                         \
    __attribute__((section("clara_kill_points"), used)) static const char kKillPoint[] = name; \
    ::clara_fastio::pass_kill_point(kKillPoint);                                               \
  } while (false)

#else

#define CLARA_FASTIO_KILL_POINT(name) static_cast<void>(0)

#endif
