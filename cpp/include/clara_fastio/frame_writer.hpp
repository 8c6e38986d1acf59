// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "clara_fastio/entry.hpp"
#include "clara_fastio/export.hpp"
#include "clara_fastio/mapping.hpp"
#include "clara_fastio/ring_layout.hpp"

namespace clara_fastio {

class Ring;

namespace client {
class DeviceAccess;
}

/// The producer's side of a stream of frames: one for each variable in a process.
///
/// A frame is open from `try_next` to `commit` or `abort`; one at a time.
/// Lifetime: holds its entry. Thread safety: one thread at a time.
class CLARA_FASTIO_EXPORT FrameWriter {
 public:
  /// The writer of this process for that entry. Throws: `Errc::invalid_argument`.
  static std::shared_ptr<FrameWriter> of(const std::shared_ptr<Entry>& entry);
  explicit FrameWriter(std::shared_ptr<Entry> entry);
  ~FrameWriter();
  FrameWriter(const FrameWriter&) = delete;
  FrameWriter& operator=(const FrameWriter&) = delete;

  /// Opens a frame if a slot is free. Never waits, but for the memory of the first one.
  ///
  /// `stream` is the CUDA stream that a frame on a device is made on, as its handle.
  /// Throws: `Errc::read_only` when another process produces, `Errc::closed` after the end,
  /// `Errc::lock_conflict` while a frame is open, `Errc::out_of_memory`, `Errc::cuda`, ...
  bool try_next(std::uintptr_t stream = 0);
  /// Waits until there may be a free slot, at most for `slice`.
  void wait(std::chrono::nanoseconds slice);
  /// Throws why no slot is free: `Errc::lock_conflict` when nobody waited, else `lock_timeout`.
  [[noreturn]] void throw_blocked(bool waited);

  /// Gives the open frame a shape. Throws: `Errc::shape` when it does not fit the slot.
  void set_shape(const Shape& shape);
  /// Gives it a number, above those before. Throws: `Errc::invalid_argument`.
  void set_number(std::uint64_t number);
  /// Throws: `Errc::invalid_argument` beyond 64 bytes.
  void set_header(std::string_view bytes);
  /// Shows the frame to all consumers.
  void commit();
  /// The frame never was.
  void abort() noexcept;
  /// Ends the stream: consumers read what is there, then their iteration ends. Fine to call twice.
  void finish();

  bool is_open() const noexcept { return slot_ != kNoSlot; }
  /// Whether it has its memory, so that the next frame asks nobody.
  bool is_started() const noexcept { return block_ != nullptr; }
  /// Of the host. Requires: no device memory.
  std::byte* data() const noexcept;
  /// The address on the device; 0 for memory of the host.
  std::uintptr_t device_data() const noexcept;
  std::uintptr_t stream() const noexcept { return stream_; }
  const Shape& shape() const noexcept { return shape_; }
  std::uint64_t nbytes() const noexcept { return nbytes_; }
  std::uint64_t number() const noexcept { return number_; }
  ElementType element_type() const noexcept { return element_type_; }
  layout::Order order() const noexcept { return entry_->order(); }
  const char* header() const noexcept { return header_; }
  Entry& entry() noexcept { return *entry_; }
  /// What keeps an array over the frame valid.
  Window window() const { return {entry_, used_block_}; }

 private:
  struct State;
  static constexpr std::uint32_t kNoSlot = layout::kNone;

  const Ring& ring() const noexcept;
  void open_stream();
  void begin_on_device();
  void check_open();
  layout::FrameHead& head(std::uint32_t slot) const noexcept;
  std::uint32_t find_free() const noexcept;
  bool is_free(std::uint32_t slot) const noexcept;
  bool drop_oldest() noexcept;
  bool may_drop(std::uint32_t slot) const noexcept;
  bool waits_for_consumer() const noexcept;
  bool is_ready() const noexcept;
  void show() noexcept;
  void queue(std::uint32_t lane) noexcept;
  void take_back(std::uint32_t lane) noexcept;

  const std::shared_ptr<Entry> entry_;
  const std::unique_ptr<State> state_;
  const layout::SlotPlan plan_;
  const Shape declared_;
  const ElementType element_type_;
  std::shared_ptr<Block> block_;
  std::shared_ptr<Block> used_block_;  ///< the same, or a stage of it on the device
  std::unique_ptr<client::DeviceAccess> device_;
  std::uintptr_t stream_ = 0;
  std::uint32_t slot_ = kNoSlot;
  std::uint64_t used_[layout::kMaxRingSlots] = {};  ///< by which frame, plus 1; 0: never
  /// The lanes that the frame in a slot went to, since the slot was free.
  std::uint32_t queued_[layout::kMaxRingSlots] = {};
  std::uint64_t next_number_ = 0;
  std::uint64_t number_ = 0;
  Shape shape_;
  std::uint64_t nbytes_ = 0;
  char header_[layout::kFrameHeaderBytes];
};

}  // namespace clara_fastio
