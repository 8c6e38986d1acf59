// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

#include "clara_fastio/device_layout.hpp"
#include "cuda/registration.hpp"
#include "cuda/sync.hpp"

namespace clara_fastio::cuda {

/// One word of a `DeviceWords`, with what belongs to it.
struct Word {
  layout::DeviceWords& words;  ///< all of them
  std::atomic<std::uint64_t>& reached;
  std::atomic<std::uint64_t>& submitted;
  std::atomic<layout::Signal>& signal;
  unsigned char* event;  ///< 64 bytes for the handle of an interprocess event
  // Of writes only; null for reads, which leave nothing behind.
  std::atomic<std::uint64_t>* poisoned = nullptr;
  std::atomic<std::uint64_t>* fresh = nullptr;
  std::atomic<std::uint64_t>* promises = nullptr;  ///< who made the last ones, by their number

  /// The number that is promised.
  std::uint64_t promised() const noexcept {
    const std::uint64_t word = submitted.load();
    return poisoned == nullptr ? word : layout::promise::number(word);
  }
  bool is_reached() const noexcept { return reached.load() >= promised(); }
};

/// `DriverApi::check`; when the device has failed for good, every promise of this process is taken
/// as kept first, since nobody shall wait for what never comes.
void require(const DriverApi& api, Result result, const char* call);

/// The promises that this process makes of one word: that it will reach a number when the work is
/// done which a stream has been given so far.
///
/// 1. The number is published after the signal was given to the device: nobody ever waits for what
///    is not under way, so that waits can form no circle.
/// 2. The word never goes back. A signal on another stream than the last one, which is not reached
///    yet, goes through a stream of our own that waits for both; users' streams never wait for each
///    other.
///
/// Lifetime: the words stay mapped, and their registration holds, as long as the object.
/// Thread safety: all members from any thread.
class Promise {
 public:
  /// `registration` is null where the device cannot reach the words.
  Promise(Device& device, Word word, std::uint32_t slot, Sync sync,
          std::shared_ptr<Registration> registration);
  ~Promise();
  Promise(const Promise&) = delete;
  Promise& operator=(const Promise&) = delete;

  /// Promises the next number on `stream`; of a write `is_fresh` when it replaces the whole
  /// content. Throws: `Errc::cuda`; then nothing was promised.
  void make(Stream stream, bool is_fresh = false);
  /// Whether work given to `stream` from now on comes after all that was promised.
  bool is_ordered_on(Stream stream);
  /// From now on it does, if nothing beyond `value` is promised: a wait for that was given to the
  /// stream.
  void order_on(Stream stream, std::uint64_t value);
  /// Our own event, while the promises are told by events.
  Event event() const noexcept { return event_; }
  const Word& word() const noexcept { return word_; }
  /// Whether all that this process promised has come true.
  bool is_kept() const noexcept { return word_.reached.load() >= mine_.load(); }
  /// Takes what this process promised as a dead one's: its device will never do it.
  void settle() noexcept;

 private:
  void wait_for_room(std::uint64_t value) const;
  /// The stream on which the next signal keeps the order.
  Stream signal_stream(Stream stream);
  void signal(Stream stream, std::uint64_t value);
  void make_own_stream();
  void make_event();
  /// Equal for two handles of one stream only; 0 for a stream that cannot be told from others.
  unsigned long long identity(Stream stream) const;

  Device& device_;
  const Word word_;
  const std::uint32_t slot_;  ///< of this process
  const Sync sync_;
  const std::shared_ptr<Registration> registration_;
  std::mutex mutex_;
  Event event_ = nullptr;  ///< interprocess
  Stream own_stream_ = nullptr;
  Event after_user_ = nullptr;   ///< of the user's stream, for our own to wait for
  unsigned long long last_ = 0;  ///< identity of the stream that the last promise is ordered on
  std::atomic<std::uint64_t> mine_ = 0;  ///< the last number that was promised here
  std::uint64_t fork_generation_;
};

}  // namespace clara_fastio::cuda
