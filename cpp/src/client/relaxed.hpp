// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

/// Reads and writes of shared words that another process, or thread, may touch at the same time.
///
/// A look without a lock reads them and finds out afterwards, by the version, whether it read a
/// mixture. Relaxed, for the version's own accesses order them; atomic, for a torn word would be
/// nonsense even to a look that is thrown away.
namespace clara_fastio::client {

template <typename T>
T load_relaxed(const T& word) noexcept {
  return __atomic_load_n(&word, __ATOMIC_RELAXED);
}

template <typename T>
void store_relaxed(T& word, T value) noexcept {
  __atomic_store_n(&word, value, __ATOMIC_RELAXED);
}

/// Copies `count` units from one place to another, each with a relaxed load and store.
template <typename T>
void copy_relaxed(T* to, const T* from, std::size_t count) noexcept {
  for (std::size_t i = 0; i < count; ++i) store_relaxed(to[i], load_relaxed(from[i]));
}

}  // namespace clara_fastio::client
