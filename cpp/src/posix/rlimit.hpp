// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace clara_fastio::posix {

/// Raises the number of descriptors this process may have from its soft to its hard limit.
///
/// A refusal is ignored: descriptors then run out earlier, and that is reported where it happens.
void raise_descriptor_limit() noexcept;

}  // namespace clara_fastio::posix
