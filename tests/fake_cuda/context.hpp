// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "abi.hpp"

namespace fake_cuda {

/// Success if this thread has a current context that was not released by everybody.
Result check_current_context();

/// Requires: `check_current_context()` succeeds.
DeviceNumber current_device();

}  // namespace fake_cuda
