// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "clara_fastio/entry.hpp"
#include "client/segment_cache.hpp"

namespace clara_fastio::client {

/// The block at this place of a mapped segment.
/// Requires: the location was checked against the size of the segment.
std::shared_ptr<Block> block_in(std::shared_ptr<SegmentMap> segment,
                                const layout::Location& location);

/// Registers the host memory of a block that was declared `pinned` with the devices of this
/// process, if it uses one and has not done so.
void pin_if_wanted(const Entry& entry, Block& block) noexcept;

/// The writable block at this place, if this process has the segment mapped for writing.
std::shared_ptr<Block> block_at(SegmentCache& segments, const layout::Location& location);

}  // namespace clara_fastio::client
