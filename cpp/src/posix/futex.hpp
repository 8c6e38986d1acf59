// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace clara_fastio::posix {

/// Sleeps while `word` holds `expected`, at most `timeout`; works between processes.
///
/// True when woken, when the word held something else, or when a signal came: look at the word
/// again. False when the time was over. A negative timeout is zero; nanoseconds::max() is for ever.
///
/// Thread safety: any thread of any process that maps the word.
bool futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected,
                std::chrono::nanoseconds timeout) noexcept;

/// Wakes everybody who sleeps on `word`, in all processes.
void futex_wake_all(std::atomic<std::uint32_t>& word) noexcept;

/// Wakes at most one who sleeps on `word`.
void futex_wake_one(std::atomic<std::uint32_t>& word) noexcept;

/// Tells the processor that this is a spin.
inline void pause() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace clara_fastio::posix
