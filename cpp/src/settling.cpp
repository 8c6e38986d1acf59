// SPDX-License-Identifier: Apache-2.0
#include "settling.hpp"

#include <algorithm>

namespace clara_fastio::settling {

void raise(std::atomic<std::uint64_t>& word, std::uint64_t value) noexcept {
  std::uint64_t seen = word.load();
  while (seen < value && !word.compare_exchange_weak(seen, value)) {
  }
}

namespace {

namespace promise = layout::promise;

/// Whether the write of that number was promised by the process.
bool is_write_of(const layout::DeviceWords& words, std::uint64_t number, std::uint32_t slot) {
  return words.promises[number % layout::kPendingWrites].load() == promise::of(number, slot);
}

/// The numbers that are promised and not reached. Others may write the words: the count is bounded.
struct Pending {
  std::uint64_t first;
  std::uint64_t last;

  explicit Pending(const layout::DeviceWords& words)
      : first(words.written.load() + 1), last(promise::number(words.submitted.load())) {
    last = std::min(last, first + layout::kPendingWrites - 1);
  }
};

/// Poisons a write and the changes in place on top of it, up to the next whole new content.
///
/// Who changes the content in place promises first and looks for poison then: so either it sees
/// this poison, or its promise is seen here, by looking again until nothing came on top.
void poison(layout::DeviceWords& words, std::uint64_t number) noexcept {
  raise(words.poisoned, number);
  for (std::uint64_t i = 0; i < layout::kPendingWrites; ++i) {
    const std::uint64_t last = promise::number(words.submitted.load());
    const std::uint64_t fresh = words.fresh.load();  // After `submitted`, which is raised later.
    if (fresh > number) return raise(words.poisoned, fresh - 1);
    raise(words.poisoned, last);
    if (promise::number(words.submitted.load()) == last) return;
  }
}

}  // namespace

bool is_waited_for(const layout::DeviceWords& words, std::uint32_t slot) noexcept {
  if (words.read[slot].load() < words.read_submitted[slot].load()) return true;
  const Pending pending(words);
  for (std::uint64_t number = pending.first; number <= pending.last; ++number) {
    if (is_write_of(words, number, slot)) return true;
  }
  return false;
}

bool settle(layout::DeviceWords& words, std::uint32_t slot) noexcept {
  raise(words.read[slot], words.read_submitted[slot].load());
  const Pending pending(words);
  bool is_settled = true;
  for (std::uint64_t number = pending.first; number <= pending.last; ++number) {
    if (!is_write_of(words, number, slot)) continue;
    poison(words, number);
    if (words.written.load() + 1 == number) {
      raise(words.written, number);
    } else if (words.written.load() < number) {
      is_settled = false;
    }
  }
  return is_settled;
}

}  // namespace clara_fastio::settling
