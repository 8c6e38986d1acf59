// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "clara_fastio/device_layout.hpp"
#include "cuda/device.hpp"

namespace clara_fastio::client {

/// The device that memory named `name` is made on: the one with that UUID; else the one that
/// CLARA_FASTIO_CUDA_DEVICES names for it ("volume=1;mask=0", by number), else the first.
///
/// Throws: `Errc::device_not_found`, `Errc::invalid_argument` for a variable that cannot be read.
cuda::Device& chosen_device(const layout::DeviceId& device, const std::string& name);

}  // namespace clara_fastio::client
