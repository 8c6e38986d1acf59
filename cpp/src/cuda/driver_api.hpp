// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cuda/driver_functions.hpp"

namespace clara_fastio::cuda {

/// The functions of the driver library, loaded at run time.
///
/// Lifetime: loaded once for the process, at the first `get()`, and never unloaded.
/// Thread safety: immutable once loaded; the driver's own functions are thread-safe.
struct DriverApi {
  // clang-format off
#define CLARA_FASTIO_CUDA_MEMBER(member, symbol, parameters) Result(*member) parameters = nullptr;
  CLARA_FASTIO_CUDA_FUNCTIONS(CLARA_FASTIO_CUDA_MEMBER)
  CLARA_FASTIO_CUDA_OPTIONAL_FUNCTIONS(CLARA_FASTIO_CUDA_MEMBER)
#undef CLARA_FASTIO_CUDA_MEMBER
  // clang-format on

  std::string path;  ///< of the library, as it was asked for
  int version = 0;   ///< 12040 is 12.4

  /// The driver, initialised. CLARA_FASTIO_CUDA_DRIVER names another library than the system's,
  /// which is for tests.
  ///
  /// Throws: `Errc::device_not_found`, the same each time: no driver, one that is too old and lacks
  /// a function (named), no device, none that CUDA_VISIBLE_DEVICES leaves; `Errc::forked` in a
  /// child of the process that loaded it, or initialised it otherwise, where no driver works.
  static const DriverApi& get();
  /// The driver if `get()` was called before and succeeded; never loads it. Null in a forked child.
  static const DriverApi* if_loaded() noexcept;

  /// "CUDA_ERROR_INVALID_VALUE (invalid argument)".
  std::string describe(Result result) const;
  /// Throws: `Errc::out_of_memory` for the driver's, else `Errc::cuda`, which carries the number as
  /// `os_error()`; both name the call. `what` says in words what was wanted, or nothing.
  void check(Result result, const char* call, const std::string& what = {}) const;
};

/// Whether the driver says that the process's work on the device has failed for good: nothing that
/// it enqueued will ever run.
bool is_fatal(Result result) noexcept;

/// "; CUDA_VISIBLE_DEVICES is '0,1'", for the end of a message; empty where it is not set.
std::string visible_devices();

}  // namespace clara_fastio::cuda
