// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "clara_fastio/device_layout.hpp"
#include "cuda/promise.hpp"

namespace clara_fastio::cuda {

/// The order of this process's work on one piece of device memory among that of all processes.
///
/// Who holds the entry's lock, or the frame, calls: before its work is given to a stream, and after
/// it. Nobody waits on the host for the device, except where it cannot be told to wait.
/// Thread safety: all members from any thread.
class Timeline {
 public:
  struct Parts {
    Device& device;
    layout::DeviceWords& words;
    std::uint32_t slot;  ///< of this process
    Sync sync;
    std::shared_ptr<Registration> registration;  ///< null where the device cannot reach the words
    /// Throws when nobody is left who settles the promises of the dead.
    std::function<void()> check;
  };

  explicit Timeline(Parts parts);
  ~Timeline();
  Timeline(const Timeline&) = delete;
  Timeline& operator=(const Timeline&) = delete;

  /// Has the stream wait for the last write. Throws: `Errc::peer_died` when that will never be
  /// whole, `Errc::invalid_argument` during the capture of a graph, `Errc::cuda`.
  void before_read(Stream stream);
  /// Has the stream wait for the last write and for all reads.
  void before_write(Stream stream);
  void after_read(Stream stream);
  /// `is_fresh`: the write replaced the whole content.
  void after_write(Stream stream, bool is_fresh);

  /// After a change in place of what `write` had made: if that turned out never to be whole,
  /// neither is the change.
  void taint(std::uint64_t write) noexcept;

  /// Writes that were given to the device.
  std::uint64_t submitted() const noexcept { return write_.word().promised(); }
  /// Whether that write was never finished by a device that failed, or by a process that died.
  bool is_poisoned(std::uint64_t write) const noexcept {
    return write != 0 && words_.poisoned.load() >= write;
  }
  const Word& writes() const noexcept { return write_.word(); }
  const Word& reads() const noexcept { return read_.word(); }
  /// Whether all that this process promised has come true.
  bool is_idle() const noexcept { return write_.is_kept() && read_.is_kept(); }

 private:
  bool is_last_writer() const noexcept;
  void refuse_capture(Stream stream);
  void await(Stream stream, const Word& word, Promise& own, bool is_own);
  void await_event(Stream stream, const Word& word);
  void await_on_host(const Word& word, std::uint64_t value);

  const Parts parts_;
  layout::DeviceWords& words_;
  Promise write_;
  Promise read_;
  std::mutex mutex_;
  struct Opened {
    std::array<char, 64> handle;
    Event event;
  };
  std::map<const void*, Opened> opened_;  ///< events of other processes, by the word they are for
  std::uint64_t fork_generation_;
};

}  // namespace clara_fastio::cuda
