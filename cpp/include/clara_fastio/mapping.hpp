// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "clara_fastio/entry.hpp"
#include "clara_fastio/export.hpp"

namespace clara_fastio {

namespace client {
class DeviceAccess;
}

enum class AccessMode : std::uint32_t {
  read = 0,
  write = 1,   ///< a whole new content
  update = 2,  ///< change in place
  dirty = 3,   ///< read without a lock, beside a writer
};

/// What an array needs to stay valid after its mapping was closed.
struct Window {
  std::shared_ptr<Entry> entry;
  std::shared_ptr<Block> block;
};

/// Access to the bytes of an entry, with its lock.
///
/// Made without the lock; `try_map` and `wait` get it. The end of a mapping without `commit` is an
/// abort: what was written is torn, as after a death.
/// Lifetime: holds its entry and block.
/// Thread safety: one thread at a time.
class CLARA_FASTIO_EXPORT Mapping {
 public:
  /// `stream` is the CUDA stream that device memory is used on, as its handle; 0 is the legacy
  /// default stream.
  Mapping(std::shared_ptr<Entry> entry, AccessMode mode, std::uintptr_t stream = 0);
  ~Mapping();
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  /// One look that never asks the host and never waits; false says nothing but "try_map()".
  bool try_cached();
  /// One look. Returns whether the bytes are mapped now; false means that it is worth waiting.
  ///
  /// Throws: `Errc::lock_abandoned`, `Errc::read_only`, `Errc::freed`, `Errc::not_allocated`, ...;
  /// `Errc::lock_conflict` when the calling thread's own maps are what blocks.
  bool try_map();
  /// Sleeps for at most `slice` until there is something new, then looks.
  bool wait(std::chrono::nanoseconds slice);
  /// Gives up what is half acquired, and throws why: `Errc::lock_conflict` when `waited` is false,
  /// else `Errc::lock_timeout`; `Errc::not_ready` when nothing was ever written.
  [[noreturn]] void throw_blocked(bool waited);

  void commit();
  void abort() noexcept;

  bool is_open() const noexcept { return is_open_; }
  AccessMode mode() const noexcept { return mode_; }
  bool is_writable() const noexcept {
    return mode_ == AccessMode::write || mode_ == AccessMode::update;
  }
  const Shape& shape() const noexcept { return shape_; }
  ElementType element_type() const noexcept { return element_type_; }
  layout::Order order() const noexcept { return entry_->order(); }
  std::uint64_t nbytes() const noexcept { return nbytes_; }
  /// Of the host. Requires: no device memory.
  std::byte* data() const noexcept { return block_->data; }
  /// The address on the device; 0 for memory of the host.
  std::uintptr_t device_data() const noexcept;
  /// Another stream that works on the device memory: it waits like the first one, and the end of
  /// the mapping waits for it. Throws: `Errc::cuda`.
  void add_stream(std::uintptr_t stream);
  std::uintptr_t stream() const noexcept { return stream_; }
  /// Whether what was read turned out never to be whole, because its writer died; known when the
  /// work on it is done, also after the end of the mapping.
  bool is_poisoned() const noexcept;
  /// Whether writing through the address is refused: by the kernel, or by the device.
  bool is_write_protected() const noexcept;
  /// Committed writes when it was mapped; of a committed mapping, its own.
  std::uint64_t version() const noexcept { return version_ / 2; }
  Window window() const { return {entry_, block_}; }
  Entry& entry() noexcept { return *entry_; }

 private:
  /// The hot path: what is cached still holds, and nobody has to be asked.
  bool open_cached();
  bool open_read();
  void open_write();
  void describe(bool will_write);
  void start_writing();
  void write_head();
  bool finish_open();
  void begin_on_device();
  void end_on_device(bool keeps_content);
  void abandon_on_device() noexcept;
  [[noreturn]] void throw_poisoned();
  void try_pin() noexcept;
  void unlock() noexcept;

  const std::shared_ptr<Entry> entry_;
  const AccessMode mode_;
  const std::uintptr_t stream_;
  std::unique_ptr<client::DeviceAccess> device_;  ///< while device memory is mapped
  LockAttempt attempt_;
  bool is_locked_ = false;
  bool is_open_ = false;
  bool waits_for_content_ = false;
  std::shared_ptr<Block> block_;
  Shape shape_;
  ElementType element_type_ = ElementType::none;
  std::uint64_t nbytes_ = 0;
  std::uint64_t version_ = 0;
};

}  // namespace clara_fastio
