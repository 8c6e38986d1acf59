// SPDX-License-Identifier: Apache-2.0
#include "client/block.hpp"

namespace clara_fastio::client {

std::shared_ptr<Block> block_in(std::shared_ptr<SegmentMap> segment,
                                const layout::Location& location) {
  auto block = std::make_shared<Block>();
  std::byte* start = segment->map.data() + location.offset;
  block->location = location;
  block->head = reinterpret_cast<layout::Head*>(start);
  block->data = start + location.data_offset;
  block->capacity = location.capacity;
  block->segment = std::move(segment);
  return block;
}

void pin_if_wanted(const Entry& entry, Block& block) noexcept {
  if (!entry.is_pinned() || block.segment->pin.is_on()) return;
  block.segment->pin.try_on(block.segment->map, block.segment->access);
}

std::shared_ptr<Block> block_at(SegmentCache& segments, const layout::Location& location) {
  auto segment = segments.find(location.segment, posix::Access::read_write);
  if (!segment || segment->map.size() < location.segment_nbytes) return nullptr;
  return block_in(std::move(segment), location);
}

}  // namespace clara_fastio::client
