// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "clara_fastio/layout.hpp"
#include "clara_fastio/shape.hpp"
#include "posix/map.hpp"
#include "posix/unique_fd.hpp"

namespace clara_fastio::client {

/// A copy of one record, checked against private bounds.
struct Record {
  std::uint32_t sequence = 0;
  layout::EntryState state = layout::EntryState::free;
  layout::EntryKind kind = layout::EntryKind::none;
  ElementType element_type = ElementType::none;
  layout::Order order = layout::Order::row_major;
  std::uint64_t generation = 0;
  std::uint32_t flags = 0;
  std::uint32_t producer = layout::kNone;
  std::uint64_t role_hash = 0;
  layout::Location location;
  layout::QueueRecord queue;
  layout::DeviceRecord device;
  Shape shape;
  std::string name;
};

/// Throws: `Errc::layout` when a block does not lie inside its segment.
void require_inside(const layout::Location& location);
void require_inside(const layout::DeviceRecord& device);

/// The tables of a context, from the side that reads them.
///
/// What is read is copied once and then checked; numbers that cannot be are `Errc::layout`.
/// Thread safety: all members from any thread.
class Tables {
 public:
  /// Throws: `Errc::seal` and `Errc::layout` when the descriptors are not what a host hands out.
  Tables(posix::UniqueFd directory, posix::UniqueFd locks);

  /// Lets readers of a record that is half written see that its writer has died.
  void watch(const std::atomic<bool>& host_death) noexcept { host_death_ = &host_death; }

  const layout::DirectoryHeader& header() const noexcept;
  const layout::EntryRecord& raw(std::uint32_t index) const noexcept;
  layout::LockLine& lock(std::uint32_t index) const noexcept;
  std::uint32_t high_water() const noexcept;
  std::string name() const;

  /// Requires: `index` below `high_water()`. Throws: `Errc::layout`, `Errc::host_unresponsive`.
  Record read(std::uint32_t index) const;
  std::optional<std::uint32_t> find(std::string_view name) const;

 private:
  std::optional<std::uint32_t> walk(std::string_view name) const;

  posix::Map directory_;
  posix::Map locks_;
  std::uint32_t capacity_ = 0;
  std::uint32_t buckets_ = 0;
  const std::atomic<bool>* host_death_ = nullptr;
};

}  // namespace clara_fastio::client
