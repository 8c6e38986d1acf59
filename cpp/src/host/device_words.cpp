// SPDX-License-Identifier: Apache-2.0
#include "host/device_words.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "settling.hpp"

namespace clara_fastio::host {
namespace {

namespace promise = layout::promise;
using layout::kDeviceReaders;

/// Calls `look` with each slot that ever read; ends when it returns false.
template <typename Look>
bool each_reader(const layout::DeviceWords& words, Look look) {
  for (std::uint32_t i = 0; i < kDeviceReaders / 64; ++i) {
    for (std::uint64_t left = words.readers[i].load(); left != 0; left &= left - 1) {
      if (!look(64 * i + static_cast<std::uint32_t>(std::countr_zero(left)))) return false;
    }
  }
  return true;
}

}  // namespace

DeviceWords::DeviceWords(posix::Map map, std::uint64_t segment, std::uint32_t count)
    : map_(std::move(map)), segment_(segment), count_(count) {}

layout::DeviceWords& DeviceWords::at(std::uint32_t index) const noexcept {
  return reinterpret_cast<layout::DeviceWords*>(map_.data())[index];
}

/// It may have died when its device had the signal of a write, and before that was promised.
void DeviceWords::promise_what_was_given(layout::DeviceWords& words, std::uint32_t slot) noexcept {
  const std::uint64_t next = promise::number(words.submitted.load()) + 1;
  const std::uint64_t word = promise::of(next, slot);
  auto& named = words.promises[next % layout::kPendingWrites];
  if (words.written.load() < next && named.load() != word) return;
  named.store(word);
  settling::raise(words.submitted, word);
}

bool DeviceWords::settle(std::uint32_t slot, bool may_write) noexcept {
  bool is_settled = true;
  for (std::uint32_t i = 0; i < count_; ++i) {
    layout::DeviceWords& words = at(i);
    // The same of a read: the larger number counts.
    words.read_submitted[slot].store(
        std::max(words.read[slot].load(), words.read_submitted[slot].load()));
    if (may_write) promise_what_was_given(words, slot);
    is_settled = settling::settle(words, slot) && is_settled;
  }
  return is_settled;
}

bool DeviceWords::is_idle() const noexcept {
  for (std::uint32_t i = 0; i < count_; ++i) {
    const layout::DeviceWords& words = at(i);
    if (words.written.load() < promise::number(words.submitted.load())) return false;
    const auto is_done = [&words](std::uint32_t slot) {
      return words.read[slot].load() >= words.read_submitted[slot].load();
    };
    if (!each_reader(words, is_done)) return false;
  }
  return true;
}

std::vector<std::uint64_t> DeviceWords::promises() const {
  std::vector<std::uint64_t> all;
  for (std::uint32_t i = 0; i < count_; ++i) {
    const layout::DeviceWords& words = at(i);
    all.push_back(promise::number(words.submitted.load()));
    for (const auto& one : words.read_submitted) all.push_back(one.load());
  }
  return all;
}

bool DeviceWords::are_kept(const std::vector<std::uint64_t>& promises) const noexcept {
  std::size_t next = 0;
  for (std::uint32_t i = 0; i < count_; ++i) {
    const layout::DeviceWords& words = at(i);
    if (words.written.load() < promises[next++]) return false;
    for (const auto& one : words.read) {
      if (one.load() < promises[next++]) return false;
    }
  }
  return true;
}

}  // namespace clara_fastio::host
