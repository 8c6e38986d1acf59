// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "clara_fastio/device_layout.hpp"
#include "posix/map.hpp"

namespace clara_fastio::host {

/// The words of an entry on a device, from the host's side: it keeps the promises of the dead, and
/// gives no memory to others that a device may still work on.
///
/// Thread safety: the server thread alone. Clients and devices may write any word at any time.
class DeviceWords {
 public:
  DeviceWords(posix::Map map, std::uint64_t segment, std::uint32_t count);

  std::uint64_t segment() const noexcept { return segment_; }
  /// Takes all promises of a process as kept whose work no device will ever do. What it wrote last,
  /// and had not finished, is poisoned. `may_write`: it had the right to, so that a write beyond
  /// the last promise is one that it gave to its device, and then died. Requires: the process is
  /// dead, or has left when its work was done; its locks are still its own.
  /// Returns whether nobody waits for the process any more; else to be asked once more, since work
  /// of the living comes first.
  bool settle(std::uint32_t slot, bool may_write) noexcept;
  /// Whether no device works on the memory, as far as is promised.
  bool is_idle() const noexcept;
  /// What is promised now, to be looked at later.
  std::vector<std::uint64_t> promises() const;
  /// Whether everything has come true that was promised then.
  bool are_kept(const std::vector<std::uint64_t>& promises) const noexcept;

 private:
  layout::DeviceWords& at(std::uint32_t index) const noexcept;
  static void promise_what_was_given(layout::DeviceWords& words, std::uint32_t slot) noexcept;

  posix::Map map_;
  std::uint64_t segment_;
  std::uint32_t count_;
};

}  // namespace clara_fastio::host
