// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace fake_cuda {

/// A kernel touched what it may not: from now on no operation runs and no call works.
void mark_faulty();
bool is_faulty();

/// The process is in `exit()`: streams stop, as they do when a real process ends.
void mark_ending();
bool is_ending();

/// Nothing queued runs any more, for either reason.
bool is_stopped();

}  // namespace fake_cuda
