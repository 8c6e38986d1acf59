// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/mman.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace clara_fastio::crash {

/// What a process holds; the test reads it after the death.
enum class Holds : std::uint32_t { nothing = 0, read_lock = 1, write_lock = 2 };

/// A few words that outlive the process: the first bytes of a file that the test has open.
class State {
 public:
  explicit State(int fd)
      : holds_(static_cast<std::atomic<std::uint32_t>*>(
            mmap(nullptr, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0))) {
    if (holds_ == MAP_FAILED) std::abort();
  }

  void set(Holds what) noexcept { holds_[0].store(static_cast<std::uint32_t>(what)); }
  void count_pass() noexcept { holds_[1].fetch_add(1); }

 private:
  std::atomic<std::uint32_t>* holds_;
};

/// Content that shows whether it is whole: every word has the same value.
inline void fill(std::byte* data, std::uint64_t nbytes, std::uint64_t value) noexcept {
  for (std::uint64_t at = 0; at + 8 <= nbytes; at += 8) std::memcpy(data + at, &value, 8);
}

inline bool is_whole(const std::byte* data, std::uint64_t nbytes) noexcept {
  for (std::uint64_t at = 8; at + 8 <= nbytes; at += 8) {
    if (std::memcmp(data, data + at, 8) != 0) return false;
  }
  return true;
}

}  // namespace clara_fastio::crash
