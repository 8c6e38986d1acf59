// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "abi.hpp"

namespace fake_cuda {

/// Physical numbers of the devices that CUDA_VISIBLE_DEVICES leaves, in its order.
const std::vector<int>& visible_devices();

/// Whether this process has a device of that number.
bool is_device(DeviceNumber device);
/// Requires: `is_device(device)`.
int physical_of(DeviceNumber device);
/// The number that a physical device has in this process, if it is visible here.
std::optional<DeviceNumber> device_of(int physical);

int attribute_of(int attribute);

}  // namespace fake_cuda
