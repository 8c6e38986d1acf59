// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <thread>

#include "address_space.hpp"
#include "call.hpp"
#include "fake_cuda.hpp"
#include "fault.hpp"
#include "stream.hpp"

namespace fake_cuda {
namespace {

using Word = std::uint32_t;

constexpr std::size_t kChunks = 64;

struct Chunk {
  std::size_t first = 0;
  std::size_t words = 0;

  [[nodiscard]] Reach reach(Pointer base, Touch touch) const {
    return {base + first * sizeof(Word), words * sizeof(Word), touch};
  }
};

/// Runs `body(chunk)` for each of some chunks, evenly over the duration. Illegal is what it says.
template <class Body>
void over_time(std::size_t words, std::uint64_t nanoseconds, Body body) {
  const std::size_t chunks = std::clamp<std::size_t>(words, 1, kChunks);
  for (std::size_t index = 0; index < chunks && !is_stopped(); ++index) {
    const std::size_t first = words * index / chunks;
    if (!body(Chunk{first, words * (index + 1) / chunks - first})) return mark_faulty();
    std::this_thread::sleep_for(std::chrono::nanoseconds(nanoseconds / chunks));
  }
}

Word* words_at(Pointer address) { return static_cast<Word*>(to_host(address)); }

bool is_aligned(Pointer address) { return address % sizeof(Word) == 0; }

// Relaxed: what orders kernels is their streams; that unordered ones meet is what tests look for,
// and the thread sanitizer need not report it.
Word load(const Word* word) { return __atomic_load_n(word, __ATOMIC_RELAXED); }
void store(Word* word, Word value) { __atomic_store_n(word, value, __ATOMIC_RELAXED); }

}  // namespace
}  // namespace fake_cuda

using namespace fake_cuda;  // The exports are C functions and cannot be inside.

Result fakeCudaFill(Stream stream, Pointer to, std::size_t words, Word value,
                    std::uint64_t nanoseconds) {
  if (const Result refused = begin("fakeCudaFill", Needs::context)) return refused;
  return enqueue(stream, [=] {
    over_time(words, nanoseconds, [=](const Chunk& chunk) {
      Word* const start = words_at(to) + chunk.first;
      return is_aligned(to) && AddressSpace::get().touch({chunk.reach(to, Touch::write)}, [=] {
        for (std::size_t index = 0; index < chunk.words; ++index) store(start + index, value);
      });
    });
  });
}

Result fakeCudaSum(Stream stream, Pointer from, std::size_t words, std::uint64_t nanoseconds,
                   Word* smallest, Word* largest) {
  if (const Result refused = begin("fakeCudaSum", Needs::context)) return refused;
  if (smallest == nullptr || largest == nullptr) return kInvalidValue;
  return enqueue(stream, [=] {
    Word least = ~Word{0};
    Word most = 0;
    over_time(words, nanoseconds, [&](const Chunk& chunk) {
      const Word* const start = words_at(from) + chunk.first;
      return is_aligned(from) && AddressSpace::get().touch({chunk.reach(from, Touch::read)}, [&] {
        for (std::size_t index = 0; index < chunk.words; ++index) {
          const Word word = load(start + index);
          least = std::min(least, word);
          most = std::max(most, word);
        }
      });
    });
    if (is_stopped()) return;
    store(smallest, least);
    store(largest, most);
  });
}

Result fakeCudaAdd(Stream stream, Pointer to, Pointer from, std::size_t words, Word increment,
                   std::uint64_t nanoseconds) {
  if (const Result refused = begin("fakeCudaAdd", Needs::context)) return refused;
  return enqueue(stream, [=] {
    over_time(words, nanoseconds, [=](const Chunk& chunk) {
      Word* const target = words_at(to) + chunk.first;
      const Word* const source = words_at(from) + chunk.first;
      return is_aligned(to) && is_aligned(from) &&
             AddressSpace::get().touch(
                 {chunk.reach(to, Touch::write), chunk.reach(from, Touch::read)}, [=] {
                   for (std::size_t index = 0; index < chunk.words; ++index) {
                     store(target + index, load(source + index) + increment);
                   }
                 });
    });
  });
}
