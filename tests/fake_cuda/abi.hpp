// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cuda/driver_functions.hpp"

/// A CUDA driver without a GPU, for tests: device memory is a memfd, a stream is a thread.
namespace fake_cuda {

// The whole file speaks the driver's language, as the library under test does.
using namespace clara_fastio::cuda;

/// Numbers that the library does not name.
inline constexpr Result kDeinitialized = 4;
inline constexpr Result kInvalidDevice = 101;
inline constexpr Result kInvalidHandle = 400;
inline constexpr Result kIllegalAddress = 700;
inline constexpr Result kContextIsDestroyed = 709;
inline constexpr Result kAlreadyRegistered = 712;
inline constexpr Result kNotRegistered = 713;
inline constexpr Result kCaptureUnsupported = 900;
inline constexpr Result kUnknown = 999;

/// What the library loads. Declared from the library's own table, so that a parameter which differs
/// does not compile; each is exported under the driver's name.
namespace driver {
// clang-format off
#define FAKE_CUDA_DECLARE(member, symbol, parameters) \
  [[gnu::visibility("default")]] Result member parameters __asm__(symbol);
CLARA_FASTIO_CUDA_FUNCTIONS(FAKE_CUDA_DECLARE)
CLARA_FASTIO_CUDA_OPTIONAL_FUNCTIONS(FAKE_CUDA_DECLARE)
#undef FAKE_CUDA_DECLARE
// clang-format on
}  // namespace driver

}  // namespace fake_cuda
