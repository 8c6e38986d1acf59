// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "abi.hpp"

namespace fake_cuda {

/// The error that FAKE_CUDA_ERRORS wants from this call, or success. Rules are separated by
/// semicolons: "cuMemCreate=2" always, "=2@3" at the third call only, "=2@3+" from the third on.
/// "cuMemSetAccess:read=801" is for calls of that variant only, and counts only those.
///
/// Thread safety: any thread, without locks, so that a forked child may come here.
Result injected_error(std::string_view function, std::string_view variant);

}  // namespace fake_cuda
