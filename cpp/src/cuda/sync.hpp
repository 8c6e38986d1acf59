// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "clara_fastio/device_layout.hpp"
#include "cuda/device.hpp"

namespace clara_fastio::cuda {

/// How this process says that work on a device is finished.
enum class Sync {
  timeline,     ///< the device writes a word in registered memory
  events,       ///< an interprocess event is recorded
  synchronize,  ///< the host waits for the stream
};

const char* name_of(Sync sync) noexcept;
const char* name_of(layout::Transport transport) noexcept;

/// A choice, and why nothing better was chosen: a line for each, empty when it was the best.
template <typename Kind>
struct Choice {
  Kind kind;
  std::string refusals;
};

/// The best that works with the device. CLARA_FASTIO_CUDA_SYNC takes one by name, for tests.
/// Throws: `Errc::invalid_argument` for another word; `Errc::cuda` when what it names does not
/// work.
Choice<Sync> choose_sync(Device& device);

/// The best that works with the device: `vmm`, `legacy`, then `staged` where that is allowed.
/// CLARA_FASTIO_CUDA_TRANSPORT takes one by name (vmm, legacy, host), for tests.
/// Throws: `Errc::device_ipc_unavailable` with every refusal; `Errc::invalid_argument`.
Choice<layout::Transport> choose_transport(Device& device, bool may_stage);

}  // namespace clara_fastio::cuda
