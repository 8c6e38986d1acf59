// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "clara_fastio/entry.hpp"
#include "clara_fastio/export.hpp"
#include "clara_fastio/mapping.hpp"
#include "clara_fastio/queue.hpp"
#include "clara_fastio/ring_layout.hpp"

namespace clara_fastio {

namespace client {
class DeviceAccess;
}

/// One frame that a consumer holds.
struct Frame {
  std::uint32_t slot = layout::kNone;
  std::uint64_t number = 0;     ///< in the stream, from 0
  std::uint64_t version = 0;    ///< frames that the slot held, with this one
  std::uint64_t timestamp = 0;  ///< CLOCK_MONOTONIC of its commit, ns
  Shape shape;
  std::uint64_t nbytes = 0;
  const std::byte* data = nullptr;        ///< of the host; null for device memory
  std::uintptr_t device_data = 0;         ///< the address on the device; 0 for memory of the host
  const unsigned char* header = nullptr;  ///< 64 bytes; valid while the frame is held
};

/// A consumer's side of a stream: its place in one lane.
///
/// Lifetime: holds its entry; frames that are held hold the reader.
/// Thread safety: `try_take` and `wait` one thread at a time; `release` from any thread.
class CLARA_FASTIO_EXPORT FrameReader {
 public:
  enum class Result { taken, nothing, over };

  /// Subscribes; to a stream that has ended as well, whose first take says so.
  /// Throws: `Errc::already_exists` when the edge has its consumer, `Errc::freed`, ...
  FrameReader(std::shared_ptr<Entry> entry, const EdgeOptions& options);
  ~FrameReader();
  FrameReader(const FrameReader&) = delete;
  FrameReader& operator=(const FrameReader&) = delete;

  /// Takes the next frame if there is one. Never waits, but for mapping the first one.
  ///
  /// Throws: `Errc::peer_died` when the producer died and all its frames were taken,
  /// `Errc::lock_conflict` when this reader holds all slots itself, `Errc::closed`, `Errc::freed`,
  /// ...
  /// `stream` is the CUDA stream that a frame on a device is used on, as its handle.
  Result try_take(Frame& frame, std::uintptr_t stream = 0);
  /// Waits until there may be something to take, at most for `slice`. Returns whether there is.
  bool wait(std::chrono::nanoseconds slice);
  /// Gives a frame back. One that turned out never to be whole is told by the next `try_take`.
  void release(std::uint32_t slot) noexcept;
  /// Whether a frame on a device turned out never to be whole, because its producer died. To be
  /// asked while it is held, when the work on it is done.
  bool is_poisoned(std::uint32_t slot) const noexcept;
  /// Takes no more. Frames that are held stay valid. Fine to call twice.
  void close() noexcept;

  bool is_open() const noexcept { return !is_closed_.load(); }
  const std::string& name() const noexcept { return name_; }
  ElementType element_type() const noexcept { return element_type_; }
  layout::Order order() const noexcept { return entry_->order(); }
  Entry& entry() noexcept { return *entry_; }
  /// What keeps the memory of a frame mapped.
  Window window() const { return {entry_, block_}; }

 private:
  struct State;
  struct Found {
    std::uint32_t slot;
    std::uint64_t word;
  };

  Found find_next() const noexcept;
  bool has_news() const noexcept;
  Result nothing(layout::StreamState stream_state);
  void map();
  const layout::FrameHead& head(std::uint32_t slot) const noexcept;
  void describe(Frame& frame);
  void begin_on_device(Frame& frame, std::uintptr_t stream);
  void adapt_spin(std::chrono::steady_clock::time_point start) noexcept;
  void count(std::uint64_t committed) noexcept;

  const std::shared_ptr<Entry> entry_;
  const std::unique_ptr<State> state_;
  const layout::SlotPlan plan_;
  const Shape declared_;
  const ElementType element_type_;
  std::shared_ptr<Block> block_;
  /// Of the slots that are held, on a device. Each is touched by the holder of its slot alone.
  std::vector<std::unique_ptr<client::DeviceAccess>> accesses_;
  std::uint64_t declared_nbytes_ = 0;  ///< 0 when dynamic
  std::uint32_t member_ = 0;
  std::uint64_t taken_ = 0;
  std::string name_;
  std::atomic<std::uint32_t> held_ = 0;
  std::atomic<bool> was_poisoned_ = false;
  std::atomic<bool> is_closed_ = false;
};

}  // namespace clara_fastio
