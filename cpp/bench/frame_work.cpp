// SPDX-License-Identifier: Apache-2.0
#include "frame_work.hpp"

#include <cstring>

void frame_work_prepare(void* frame, std::size_t nbytes, std::uint64_t seed) noexcept {
  auto* words = static_cast<std::uint64_t*>(frame);
  std::uint64_t state = seed * 2 + 1;
  for (std::size_t i = 0; i < nbytes / sizeof *words; ++i) {
    // A linear congruential generator; its upper half is random enough for pixels.
    state = state * 6364136223846793005u + 1442695040888963407u;
    words[i] = state ^ (state >> 32);
  }
}

void frame_work_produce(void* out, const void* prepared, std::size_t nbytes) noexcept {
  std::memcpy(out, prepared, nbytes);
}

void frame_work_filter(void* out, const void* in, std::size_t nbytes) noexcept {
  auto* __restrict to = static_cast<std::uint16_t*>(out);
  const auto* __restrict from = static_cast<const std::uint16_t*>(in);
  for (std::size_t i = 0; i < nbytes / sizeof *to; ++i) {
    to[i] = static_cast<std::uint16_t>(from[i] >> 1);
  }
}

std::uint64_t frame_work_reduce(const void* in, std::size_t nbytes) noexcept {
  const auto* words = static_cast<const std::uint64_t*>(in);
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < nbytes / sizeof *words; ++i) sum += words[i];
  return sum;
}
