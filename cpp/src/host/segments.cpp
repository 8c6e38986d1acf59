// SPDX-License-Identifier: Apache-2.0
#include "host/segments.hpp"

#include <algorithm>
#include <bit>

namespace clara_fastio::host {
namespace {

constexpr std::uint32_t kSmallAttributes = 128;
constexpr std::uint64_t kPage = 4096;

/// Sizes of arena blocks: quarters between powers of two, so freed blocks fit again.
std::uint64_t size_class(std::uint64_t nbytes) {
  const std::uint64_t step = std::max<std::uint64_t>(std::bit_floor(nbytes) / 4, 64);
  return layout::align_up(nbytes, step);
}

}  // namespace

BlockSize BlockSize::of(std::uint64_t capacity, std::uint32_t attributes_nbytes, bool own_segment) {
  const std::uint64_t small_start = layout::align_up(
      sizeof(layout::Head) + std::max(attributes_nbytes, kSmallAttributes), layout::kDataAlignment);
  if (!own_segment && small_start + capacity <= layout::kUnit) {
    return {size_class(small_start + capacity), static_cast<std::uint32_t>(small_start),
            static_cast<std::uint32_t>(small_start - sizeof(layout::Head)), true};
  }
  const std::uint64_t start =
      layout::align_up(sizeof(layout::Head) + layout::kMaxAttributeBytes, kPage);
  return {layout::align_up(start + capacity, layout::kUnit), static_cast<std::uint32_t>(start),
          layout::kMaxAttributeBytes, false};
}

BlockSize BlockSize::of_device(std::uint64_t capacity) {
  return {layout::device_block_nbytes(capacity), 0, 0, true};
}

Segment& Segments::add(posix::UniqueFd fd, std::uint64_t nbytes, const Owner& owner,
                       bool is_arena) {
  auto segment = std::make_unique<Segment>();
  segment->id = ++last_id_;
  segment->fd = std::move(fd);
  segment->nbytes = nbytes;
  segment->owner = owner;
  segment->is_arena = is_arena;
  Segment& added = *segment;
  segments_.emplace(added.id, std::move(segment));
  if (!added.is_device()) reserved_ += nbytes;
  if (is_arena) arenas_[owner].push_back(&added);
  return added;
}

void Segments::remove(std::uint64_t id) noexcept {
  Segment* segment = find(id);
  if (segment == nullptr) return;
  if (!segment->is_device()) reserved_ -= segment->nbytes;
  if (const auto own = arenas_.find(segment->owner); own != arenas_.end()) {
    std::erase(own->second, segment);
  }
  segments_.erase(id);
}

Segment* Segments::find(std::uint64_t id) noexcept {
  const auto found = segments_.find(id);
  return found == segments_.end() ? nullptr : found->second.get();
}

layout::Location Segments::place(Segment& segment, std::uint64_t offset, const BlockSize& size) {
  ++segment.blocks;
  layout::Location location;
  location.segment = segment.id;
  location.segment_nbytes = segment.nbytes;
  location.offset = offset;
  location.capacity = size.nbytes - size.data_offset;
  location.data_offset = size.data_offset;
  location.attributes_capacity = size.attributes_capacity;
  return location;
}

std::optional<layout::Location> Segments::take_block(const Owner& owner, const BlockSize& size) {
  Segment* roomy = nullptr;
  const auto own = arenas_.find(owner);
  if (own == arenas_.end()) return std::nullopt;
  for (Segment* segment : own->second) {
    if (auto freed = segment->freed.find(size.nbytes);
        freed != segment->freed.end() && !freed->second.empty()) {
      const std::uint64_t offset = freed->second.back();
      freed->second.pop_back();
      return place(*segment, offset, size);
    }
    if (segment->used + size.nbytes <= segment->nbytes) roomy = segment;
  }
  if (roomy == nullptr) return std::nullopt;
  const std::uint64_t offset = roomy->used;
  roomy->used += size.nbytes;
  return place(*roomy, offset, size);
}

layout::Location Segments::whole(Segment& segment, const BlockSize& size) {
  layout::Location location = place(segment, 0, size);
  location.capacity = segment.nbytes - size.data_offset;
  return location;
}

bool Segments::give_back(const layout::Location& location) noexcept {
  Segment* segment = find(location.segment);
  if (segment == nullptr || segment->blocks == 0) return false;
  --segment->blocks;
  if (!segment->is_arena) return true;
  if (segment->blocks > 0) {
    segment->freed[location.data_offset + location.capacity].push_back(location.offset);
    return false;
  }
  // Empty: whatever sizes it was cut into, it can be cut anew. One empty arena is kept, unless it
  // was made for something large.
  segment->used = 0;
  segment->freed.clear();
  if (segment->is_device() && segment->nbytes > layout::kDeviceArenaBytes) return true;
  const auto own = arenas_.find(segment->owner);
  return own == arenas_.end() ||
         std::any_of(own->second.begin(), own->second.end(), [segment](const Segment* other) {
           return other != segment && other->blocks == 0;
         });
}

std::vector<std::uint64_t> Segments::orphan(std::uint32_t producer) noexcept {
  std::vector<std::uint64_t> empty;
  std::erase_if(arenas_, [producer](const auto& one) { return one.first.producer == producer; });
  for (auto& [id, segment] : segments_) {
    if (segment->owner.producer != producer) continue;
    segment->owner.producer = layout::kNone;
    if (segment->blocks == 0) empty.push_back(id);
  }
  return empty;
}

}  // namespace clara_fastio::host
