// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <exception>
#include <string>

#include "clara_fastio/export.hpp"

namespace clara_fastio {

/// The kinds of failure. The numbers index the table `ERROR_CLASSES` of `errors.py`.
enum class Errc : int {
  invalid_argument = 0,
  not_found = 1,
  already_exists = 2,
  closed = 3,
  freed = 4,
  not_allocated = 5,
  not_ready = 6,
  read_only = 7,
  shape = 8,
  element_type = 9,
  out_of_memory = 10,
  lock_conflict = 11,
  lock_timeout = 12,
  lock_abandoned = 13,
  peer_died = 14,
  host_died = 15,
  host_unresponsive = 16,
  seal = 17,
  layout = 18,
  version_mismatch = 19,
  forked = 20,
  system = 21,
  device = 22,
  device_not_found = 23,
  device_ipc_unavailable = 24,
  cuda = 25,
};

/// The one exception of the core.
///
/// Exported, with its destructor out of line, so that every module sees the same type.
/// Thread safety: immutable after construction.
class CLARA_FASTIO_EXPORT Error : public std::exception {
 public:
  Error(Errc code, std::string message, int os_error = 0);
  /// For `Errc::out_of_memory`: what was asked for and what is left, in bytes.
  Error(Errc code, std::string message, std::uint64_t requested, std::uint64_t available);
  Error(const Error&) = default;
  ~Error() override;

  const char* what() const noexcept override;
  Errc code() const noexcept { return code_; }
  int os_error() const noexcept { return os_error_; }
  std::uint64_t requested() const noexcept { return requested_; }
  std::uint64_t available() const noexcept { return available_; }

 private:
  Errc code_;
  int os_error_ = 0;
  std::uint64_t requested_ = 0;
  std::uint64_t available_ = 0;
  std::string message_;
};

}  // namespace clara_fastio
