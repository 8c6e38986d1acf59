// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

namespace clara_fastio::posix {

/// Owns one file descriptor and closes it when it dies.
///
/// Lifetime: move-only; a moved-from object owns nothing.
/// Thread safety: none; give each thread its own object.
class UniqueFd {
 public:
  UniqueFd() noexcept = default;

  /// Takes ownership of `fd`; any negative number means "none".
  explicit UniqueFd(int fd) noexcept : fd_(fd) {}

  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    reset(other.release());
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  /// The descriptor, still owned by this object; negative when there is none.
  [[nodiscard]] int get() const noexcept { return fd_; }

  /// Gives the descriptor to the caller, who closes it.
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

  /// Closes what is owned and takes `fd` instead. Leaves errno as it was.
  void reset(int fd = -1) noexcept;

  /// Has programs started by this process not inherit it; some libraries forget to.
  void close_on_exec() noexcept;

  /// True when a descriptor is owned.
  explicit operator bool() const noexcept { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

}  // namespace clara_fastio::posix
