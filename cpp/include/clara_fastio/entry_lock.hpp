// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "clara_fastio/export.hpp"
#include "clara_fastio/layout.hpp"
#include "clara_fastio/short_mutex.hpp"

namespace clara_fastio {

/// One try to get a lock, from the first look to success or giving up.
struct LockAttempt {
  bool to_write = false;
  /// The caller will sleep: a writer that will not leaves readers in peace instead of claiming.
  bool may_wait = false;
  /// The writer word is ours and readers drain.
  bool has_claim = false;
  /// Who got it; a mapping may be closed by another thread.
  std::thread::id holder{};
};

/// Many readers or one writer, over the words of one entry, for all threads of one process.
///
/// 1. A writer owns the word from its claim on, so no new reader enters while old ones drain.
/// 2. A reader sets its bit, then looks at the word again: of a claim and a bit that cross, at
///    least one is seen by the other side.
/// 3. A sleeper sets its sleeper bit, reads the event, looks again, and only then sleeps: whoever
///    changes the word or a bit bumps the event and looks at the sleepers afterwards.
/// 4. Every access is sequentially consistent, but for the store that gives the word back;
///    `docs/design/models/entry_lock.pml` checks the protocol with deaths at every step.
/// 5. Within the process, steps 1 and 2 are taken under `mutex_`, for the bit is the process's.
///    Nobody sleeps under it.
///
/// Thread safety: all members from any thread. Another process's words are never trusted further
/// than waiting for them: waits are slices that the caller bounds.
class CLARA_FASTIO_EXPORT EntryLock {
 public:
  /// Lifetime: `line` stays mapped as long as this object.
  EntryLock(layout::LockLine& line, std::uint32_t slot, std::uint64_t slot_generation) noexcept;

  /// Looks, a few times in a row at most. Returns whether the lock is held now.
  bool try_acquire(LockAttempt& attempt);
  /// Looks once. Requires: `mutex()` is held.
  bool look(LockAttempt& attempt) {
    return attempt.to_write ? try_write(attempt) : try_read(attempt);
  }
  /// Sleeps until something changed or `slice` is over, then looks once.
  bool wait(LockAttempt& attempt, std::chrono::nanoseconds slice);
  /// Takes a claim back.
  void give_up(LockAttempt& attempt);
  void release_read(const LockAttempt& attempt);
  void release_write();

  /// Whether the calling thread's own maps stand in the way, so that waiting would never end.
  bool is_blocked_by_caller(const LockAttempt& attempt);
  /// Guards what this process counts about the entry; held for a few instructions only.
  ShortMutex& mutex() noexcept { return mutex_; }
  /// The word of the process that writes or wants to: 0 for nobody.
  std::uint64_t writer_word() const noexcept { return line_.writer.load(); }

  /// Sleeps until a writer leaves, the entry is freed, or `slice` is over.
  template <typename Done>
  bool wait_for_writer(Done done, std::chrono::nanoseconds slice) {
    const Sleeper sleeper(*this);
    const std::uint32_t event = line_.free.load();
    if (done()) return true;
    sleep(line_.free, event, slice);
    return done();
  }

 private:
  /// Keeps the process's sleeper bit set while any of its threads sleeps.
  class Sleeper {
   public:
    explicit Sleeper(EntryLock& lock);
    ~Sleeper();
    Sleeper(const Sleeper&) = delete;
    Sleeper& operator=(const Sleeper&) = delete;

   private:
    EntryLock& lock_;
  };

  static void sleep(std::atomic<std::uint32_t>& event, std::uint32_t seen,
                    std::chrono::nanoseconds slice) noexcept;
  bool try_read(LockAttempt& attempt);
  bool try_write(LockAttempt& attempt);
  bool has_readers() const noexcept;
  bool has_sleepers() const noexcept;
  void announce_drained() noexcept;
  void leave_write() noexcept;

  layout::LockLine& line_;
  const std::uint64_t me_;  ///< generation << 8 | slot
  const std::uint32_t bit_word_;
  const std::uint64_t bit_;

  ShortMutex mutex_;
  std::vector<std::thread::id> readers_;  ///< one for each map, in any order
  std::uint32_t sleepers_ = 0;
  std::thread::id writer_;
};

}  // namespace clara_fastio
