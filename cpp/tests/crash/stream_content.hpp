// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace clara_fastio::crash {

/// The content of a frame, from 64 to 512 bytes, every word of which its number decides: a mixture
/// of two frames shows.
class StreamContent {
 public:
  static constexpr std::uint64_t kMostWords = 64;

  static std::uint64_t words_of(std::uint64_t number) noexcept { return 8 + mix(number) % 57; }

  static void fill(std::byte* data, std::uint64_t number) noexcept {
    std::uint64_t sum = 0;
    const std::uint64_t words = words_of(number);
    for (std::uint64_t i = 0; i + 1 < words; ++i) {
      const std::uint64_t word = i == 0 ? number : mix(number * kMostWords + i);
      sum = mix(sum ^ word);
      std::memcpy(data + i * 8, &word, 8);
    }
    std::memcpy(data + (words - 1) * 8, &sum, 8);
  }

  static bool is_whole(const std::byte* data, std::uint64_t nbytes, std::uint64_t number) noexcept {
    const std::uint64_t words = words_of(number);
    if (nbytes != words * 8) return false;
    std::uint64_t sum = 0;
    std::uint64_t word = 0;
    for (std::uint64_t i = 0; i + 1 < words; ++i) {
      std::memcpy(&word, data + i * 8, 8);
      if (i == 0 && word != number) return false;
      sum = mix(sum ^ word);
    }
    std::memcpy(&word, data + (words - 1) * 8, 8);
    return word == sum;
  }

 private:
  static std::uint64_t mix(std::uint64_t value) noexcept {
    value = (value ^ value >> 31) * 0x9e3779b97f4a7c15;
    return value ^ value >> 29;
  }
};

}  // namespace clara_fastio::crash
