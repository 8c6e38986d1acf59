// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bitset>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "clara_fastio/layout.hpp"
#include "posix/unique_fd.hpp"

namespace clara_fastio::host {

/// Bytes that a block needs: head, attributes, data; and where its data begins.
struct BlockSize {
  std::uint64_t nbytes;
  std::uint32_t data_offset;
  std::uint32_t attributes_capacity;
  bool shares_arena;

  static BlockSize of(std::uint64_t capacity, std::uint32_t attributes_nbytes, bool own_segment);
};

/// One memfd, kept by the host alone.
struct Segment {
  std::uint64_t id = 0;
  posix::UniqueFd fd;
  std::uint64_t nbytes = 0;
  layout::EntryKind kind = layout::EntryKind::none;
  std::uint32_t producer = layout::kNone;
  bool is_arena = false;
  bool is_sealed = false;
  std::uint32_t blocks = 0;
  std::uint64_t used = 0;  ///< arena: bytes handed out from the start
  std::map<std::uint64_t, std::vector<std::uint64_t>> freed;  ///< arena: size to offsets
  std::bitset<layout::kMaxProcesses> mappers;
};

/// The segments of a context and the blocks in them.
///
/// A block above one unit has a segment of its own; smaller ones share an arena of their producer.
/// An arena is used by one producer and one kind of entry only, so a seal never hits a stranger.
/// Thread safety: the server thread alone.
class Segments {
 public:
  Segment& add(posix::UniqueFd fd, std::uint64_t nbytes, layout::EntryKind kind,
               std::uint32_t producer, bool is_arena);
  Segment* find(std::uint64_t id) noexcept;
  void remove(std::uint64_t id) noexcept;

  /// A block in an arena of this producer, if one has room.
  std::optional<layout::Location> take_block(std::uint32_t producer, layout::EntryKind kind,
                                             const BlockSize& size);
  /// The block at the start of a segment of its own.
  layout::Location whole(Segment& segment, const BlockSize& size);
  /// Gives a block back. Returns whether its segment is of no more use to anybody.
  bool give_back(const layout::Location& location) noexcept;
  /// The producer is gone for good: its arenas take no new blocks. Returns the empty ones.
  std::vector<std::uint64_t> orphan(std::uint32_t producer) noexcept;

  std::uint64_t reserved_bytes() const noexcept { return reserved_; }
  std::unordered_map<std::uint64_t, std::unique_ptr<Segment>>& all() noexcept { return segments_; }

 private:
  using Arenas = std::vector<Segment*>;
  using Owner = std::pair<std::uint32_t, layout::EntryKind>;

  layout::Location place(Segment& segment, std::uint64_t offset, const BlockSize& size);

  std::uint64_t last_id_ = 0;
  std::uint64_t reserved_ = 0;
  std::map<Owner, Arenas> arenas_;  ///< those that take new blocks
  std::unordered_map<std::uint64_t, std::unique_ptr<Segment>> segments_;
};

}  // namespace clara_fastio::host
