// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "cuda/device.hpp"

namespace clara_fastio::cuda {

/// Host memory that the devices of this process reach directly (page-locked and registered).
///
/// Lifetime: ends before the range is unmapped. In a forked child its end does nothing.
/// Thread safety: immutable.
class Registration {
 public:
  /// Registers a whole range of mapped memory, once. `read_only` for a range that this process may
  /// only read.
  ///
  /// Throws: `Errc::cuda`, `Errc::out_of_memory` (the message names RLIMIT_MEMLOCK where that may
  /// be why).
  static std::shared_ptr<Registration> of(Device& device, void* address, std::uint64_t nbytes,
                                          bool read_only);
  ~Registration();
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;

  /// Where the device finds the byte at `address`, which lies in the range.
  Pointer at(const void* address) const noexcept;

 private:
  Registration(Device& device, void* address, std::uint64_t nbytes);

  Device& device_;
  std::byte* address_;
  std::uint64_t nbytes_;
  Pointer pointer_ = 0;
  std::uint64_t fork_generation_;
};

}  // namespace clara_fastio::cuda
