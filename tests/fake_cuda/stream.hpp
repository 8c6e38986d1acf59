// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "queue.hpp"

namespace fake_cuda {

/// The queue of a stream; null for a handle that is none.
///
/// Null and `kLegacyStream` are the default stream of the current context, `kPerThreadStream` is
/// one per thread and device. The real legacy stream and all blocking ones wait for each other;
/// here it is one more stream, so that nobody can rely on that order.
///
/// Requires: `check_current_context()` succeeds.
std::shared_ptr<Queue> queue_of(Stream stream);

/// Queues the operation, or says why it cannot be: no stream, or one that is capturing, which the
/// fake does not do for any operation.
Result enqueue(Stream stream, Queue::Operation operation);

}  // namespace fake_cuda
