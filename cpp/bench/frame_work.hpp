// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

/// What the stages of a frame pipeline do with a frame: the same machine code for compiled programs
/// and interpreted ones, so that nothing but the way between the stages is compared.
/// Every `nbytes` is a multiple of 8, every address is aligned to 8 bytes.
extern "C" {

/// Makes a frame whose content depends on the seed.
void frame_work_prepare(void* frame, std::size_t nbytes, std::uint64_t seed) noexcept;

/// Copies a prepared frame.
void frame_work_produce(void* out, const void* prepared, std::size_t nbytes) noexcept;

/// Halves each pixel of 16 bits.
void frame_work_filter(void* out, const void* in, std::size_t nbytes) noexcept;

/// Adds up the frame, seen as numbers of 64 bits.
std::uint64_t frame_work_reduce(const void* in, std::size_t nbytes) noexcept;
}
