// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

#include "clara_fastio/device_layout.hpp"

/// What becomes of the promises of a process whose device will do nothing more, because the process
/// has died.
namespace clara_fastio::settling {

/// Raises a word that others may raise too; never lowers it.
void raise(std::atomic<std::uint64_t>& word, std::uint64_t value) noexcept;

/// Takes the reads of a process as done, and its writes as well: those that were not done are
/// poisoned, with every change in place that came on top of them.
///
/// Returns whether nobody waits for the process any more. False while an earlier write, of another
/// process, is under way: only when that is done may the word go beyond it, for its own signal
/// would lower the word again. Then this is to be asked once more. Requires: the process is dead.
bool settle(layout::DeviceWords& words, std::uint32_t slot) noexcept;

/// Whether a read or write of the process is promised and not done.
bool is_waited_for(const layout::DeviceWords& words, std::uint32_t slot) noexcept;

}  // namespace clara_fastio::settling
