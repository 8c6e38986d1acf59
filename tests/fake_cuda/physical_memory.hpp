// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "abi.hpp"
#include "shared_file.hpp"

namespace fake_cuda {

inline constexpr std::size_t kGranularity = std::size_t{2} << 20;

/// Bytes that a physical device has left for this process. Other processes do not count, so that
/// tests beside each other do not matter.
std::size_t free_bytes(int physical);

/// The memory behind a handle of cuMemCreate; null if there is none.
std::shared_ptr<SharedFile> memory_of(MemoryHandle handle);

}  // namespace fake_cuda
