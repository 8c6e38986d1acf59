// SPDX-License-Identifier: Apache-2.0
#include "clara_fastio/entry_lock.hpp"

#include <algorithm>

#include "kill_points.hpp"
#include "posix/futex.hpp"

namespace clara_fastio {
namespace {

constexpr int kTransientLooks = 32;

}  // namespace

EntryLock::EntryLock(layout::LockLine& line, std::uint32_t slot,
                     std::uint64_t slot_generation) noexcept
    : line_(line),
      me_(slot_generation << 8 | slot),
      bit_word_(slot / 64),
      bit_(1ull << (slot % 64)) {}

bool EntryLock::try_acquire(LockAttempt& attempt) {
  {
    const std::lock_guard guard(mutex_);
    if (look(attempt)) return true;
  }
  if (attempt.may_wait) return false;
  // The bit of a reader that backs off, or a claim that is given up, is no conflict: it goes at
  // once, and a caller who does not wait must not be told otherwise.
  for (int i = 0; i < kTransientLooks; ++i) {
    posix::pause();
    const std::lock_guard guard(mutex_);
    if (look(attempt)) return true;
  }
  return false;
}

bool EntryLock::try_read(LockAttempt& attempt) {
  attempt.holder = std::this_thread::get_id();
  if (!readers_.empty()) {
    // The bit is set. A thread that reads already may nest, even past a claim, for it would wait
    // for itself; others honour the claim, or a writer would starve.
    const auto end = readers_.end();
    if (line_.writer.load() != 0 && std::find(readers_.begin(), end, attempt.holder) == end) {
      return false;
    }
    readers_.push_back(attempt.holder);
    return true;
  }
  if (line_.writer.load() != 0) return false;
  line_.readers[bit_word_].fetch_or(bit_);
  CLARA_FASTIO_KILL_POINT("lock.read.bit_set");
  if (line_.writer.load() != 0) {
    line_.readers[bit_word_].fetch_and(~bit_);
    announce_drained();
    return false;
  }
  readers_.push_back(attempt.holder);
  return true;
}

bool EntryLock::try_write(LockAttempt& attempt) {
  if (!attempt.has_claim) {
    if (!attempt.may_wait && has_readers()) return false;
    std::uint64_t nobody = 0;
    if (!line_.writer.compare_exchange_strong(nobody, me_)) return false;
    attempt.has_claim = true;
    writer_ = std::this_thread::get_id();
    CLARA_FASTIO_KILL_POINT("lock.write.claimed");
  }
  if (!has_readers()) return true;
  if (!attempt.may_wait) {
    attempt.has_claim = false;
    leave_write();
  }
  return false;
}

bool EntryLock::wait(LockAttempt& attempt, std::chrono::nanoseconds slice) {
  attempt.may_wait = true;
  const Sleeper sleeper(*this);
  std::atomic<std::uint32_t>& event = attempt.has_claim ? line_.drained : line_.free;
  const std::uint32_t seen = event.load();
  const bool had_claim = attempt.has_claim;
  if (try_acquire(attempt)) return true;
  // A claim made just now waits for another event: look at that one first.
  if (attempt.has_claim != had_claim) return false;
  CLARA_FASTIO_KILL_POINT("lock.asleep");
  sleep(event, seen, slice);
  return try_acquire(attempt);
}

void EntryLock::give_up(LockAttempt& attempt) {
  if (!attempt.has_claim) return;
  attempt.has_claim = false;
  leave_write();
}

void EntryLock::release_read(const LockAttempt& attempt) {
  {
    const std::lock_guard guard(mutex_);
    auto mine = std::find(readers_.begin(), readers_.end(), attempt.holder);
    *mine = readers_.back();
    readers_.pop_back();
    if (!readers_.empty()) return;
    line_.readers[bit_word_].fetch_and(~bit_);
  }
  announce_drained();
}

void EntryLock::release_write() { leave_write(); }

void EntryLock::announce_drained() noexcept {
  CLARA_FASTIO_KILL_POINT("lock.read.bit_cleared");
  line_.drained.fetch_add(1);
  if (has_sleepers()) posix::futex_wake_all(line_.drained);
}

void EntryLock::leave_write() noexcept {
  // Release is enough: who reads the event that comes next reads this too, and who read the event
  // before has its sleeper bit set before this side looks.
  line_.writer.store(0, std::memory_order_release);
  CLARA_FASTIO_KILL_POINT("lock.write.word_cleared");
  line_.free.fetch_add(1);
  CLARA_FASTIO_KILL_POINT("lock.write.event_bumped");
  if (has_sleepers()) posix::futex_wake_all(line_.free);
}

bool EntryLock::is_blocked_by_caller(const LockAttempt& attempt) {
  const std::lock_guard guard(mutex_);
  const auto caller = std::this_thread::get_id();
  const auto end = readers_.end();
  if (attempt.to_write && std::find(readers_.begin(), end, caller) != end) return true;
  // With a claim the word is this attempt's own; without one it may be an earlier map's.
  return !attempt.has_claim && line_.writer.load() == me_ && writer_ == caller;
}

bool EntryLock::has_readers() const noexcept {
  for (const auto& word : line_.readers) {
    if (word.load() != 0) return true;
  }
  return false;
}

bool EntryLock::has_sleepers() const noexcept {
  for (const auto& word : line_.sleepers) {
    if (word.load() != 0) return true;
  }
  return false;
}

void EntryLock::sleep(std::atomic<std::uint32_t>& event, std::uint32_t seen,
                      std::chrono::nanoseconds slice) noexcept {
  posix::futex_wait(event, seen, slice);
}

EntryLock::Sleeper::Sleeper(EntryLock& lock) : lock_(lock) {
  const std::lock_guard guard(lock_.mutex_);
  if (lock_.sleepers_++ == 0) lock_.line_.sleepers[lock_.bit_word_].fetch_or(lock_.bit_);
}

EntryLock::Sleeper::~Sleeper() {
  const std::lock_guard guard(lock_.mutex_);
  if (--lock_.sleepers_ == 0) lock_.line_.sleepers[lock_.bit_word_].fetch_and(~lock_.bit_);
}

}  // namespace clara_fastio
