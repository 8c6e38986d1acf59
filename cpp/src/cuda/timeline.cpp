// SPDX-License-Identifier: Apache-2.0
#include "cuda/timeline.hpp"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "clara_fastio/error.hpp"
#include "kill_points.hpp"
#include "omissions.hpp"
#include "posix/fork_guard.hpp"
#include "settling.hpp"

namespace clara_fastio::cuda {
namespace {

using layout::Signal;
using std::chrono::microseconds;

constexpr microseconds kFirstLook{20};
constexpr microseconds kLastLook{1000};

Word word_of_writes(layout::DeviceWords& words) noexcept {
  return {words,           words.written, words.submitted, words.write_signal, words.write_event,
          &words.poisoned, &words.fresh,  words.promises};
}

Word word_of_reads_of(layout::DeviceWords& words, std::uint32_t slot) noexcept {
  return {words, words.read[slot], words.read_submitted[slot], words.read_signal[slot],
          words.read_events[slot]};
}

}  // namespace

Timeline::Timeline(Parts parts)
    : parts_(std::move(parts)),
      words_(parts_.words),
      write_(parts_.device, word_of_writes(words_), parts_.slot, parts_.sync, parts_.registration),
      read_(parts_.device, word_of_reads_of(words_, parts_.slot), parts_.slot, parts_.sync,
            parts_.registration),
      fork_generation_(posix::fork_generation()) {}

Timeline::~Timeline() {
  if (fork_generation_ != posix::fork_generation()) return;
  for (const auto& [word, opened] : opened_) parts_.device.api().event_destroy(opened.event);
}

void Timeline::before_read(Stream stream) {
  const CurrentContext current(parts_.device);
  refuse_capture(stream);
  const std::uint64_t write = submitted();
  if (is_poisoned(write)) {
    throw Error(Errc::peer_died,
                "its last writer died before its work on the device was done; the content is torn "
                "until it is written anew with mode 'w'");
  }
  if (CLARA_FASTIO_OMITTED("timeline.read_after_write")) return;
  await(stream, write_.word(), write_, is_last_writer());
  CLARA_FASTIO_KILL_POINT("device.read_ordered");
}

void Timeline::before_write(Stream stream) {
  const CurrentContext current(parts_.device);
  refuse_capture(stream);
  if (!CLARA_FASTIO_OMITTED("timeline.write_after_write")) {
    await(stream, write_.word(), write_, is_last_writer());
  }
  for (std::uint32_t i = 0; i < layout::kDeviceReaders / 64; ++i) {
    for (std::uint64_t left = words_.readers[i].load(); left != 0; left &= left - 1) {
      const auto slot = 64 * i + static_cast<std::uint32_t>(std::countr_zero(left));
      if (CLARA_FASTIO_OMITTED("timeline.write_after_read")) continue;
      await(stream, word_of_reads_of(words_, slot), read_, slot == parts_.slot);
    }
  }
  CLARA_FASTIO_KILL_POINT("device.write_ordered");
}

void Timeline::after_read(Stream stream) {
  const CurrentContext current(parts_.device);
  const std::uint64_t bit = 1ull << (parts_.slot % 64);
  std::atomic<std::uint64_t>& readers = words_.readers[parts_.slot / 64];
  if ((readers.load(std::memory_order_relaxed) & bit) == 0) readers.fetch_or(bit);
  read_.make(stream);
  CLARA_FASTIO_KILL_POINT("device.read_promised");
}

void Timeline::after_write(Stream stream, bool is_fresh) {
  const CurrentContext current(parts_.device);
  write_.make(stream, is_fresh);
  CLARA_FASTIO_KILL_POINT("device.write_promised");
}

void Timeline::taint(std::uint64_t write) noexcept {
  if (is_poisoned(write)) settling::raise(words_.poisoned, submitted());
}

bool Timeline::is_last_writer() const noexcept {
  return layout::promise::is_of(words_.submitted.load(), parts_.slot);
}

/// What is captured into a graph runs when the graph does, and that again and again: nobody could
/// say then which content it sees.
void Timeline::refuse_capture(Stream stream) {
  if (stream == nullptr || stream == kLegacyStream) return;  // It cannot be captured.
  int status = kCaptureNone;
  const DriverApi& api = parts_.device.api();
  require(api, api.stream_capturing(stream, &status), "cuStreamIsCapturing");
  if (status == kCaptureNone) return;
  throw Error(Errc::device,
              "the stream captures a graph; map before the capture begins, or on another stream");
}

/// Has the stream wait until the word has reached what is promised of it now.
void Timeline::await(Stream stream, const Word& word, Promise& own, bool is_own) {
  const std::uint64_t value = word.promised();
  if (word.reached.load() >= value) return;
  if (is_own && own.is_ordered_on(stream)) return;
  const DriverApi& api = parts_.device.api();
  switch (word.signal.load()) {
    case Signal::timeline:
      if (!parts_.registration) {
        await_on_host(word, value);
        break;
      }
      require(api,
              api.stream_wait_value(stream, parts_.registration->at(&word.reached), value,
                                    kWaitGreaterEqual),
              "cuStreamWaitValue64");
      break;
    case Signal::event:
      // An event cannot be opened by the process that made it.
      if (is_own && own.event() == nullptr) {
        await_on_host(word, value);
      } else if (is_own) {
        require(api, api.stream_wait_event(stream, own.event(), 0), "cuStreamWaitEvent");
      } else {
        await_event(stream, word);
      }
      break;
    default:
      await_on_host(word, value);
  }
  if (&word.reached == &words_.written) write_.order_on(stream, value);
}

void Timeline::await_event(Stream stream, const Word& word) {
  const DriverApi& api = parts_.device.api();
  std::array<char, 64> wanted{};
  std::memcpy(wanted.data(), word.event, wanted.size());
  const std::lock_guard lock(mutex_);
  auto found = opened_.find(&word.reached);
  if (found != opened_.end() && found->second.handle != wanted) {
    // Its process is gone, or the word is another's now: nobody records that event any more.
    api.event_destroy(found->second.event);
    opened_.erase(found);
    found = opened_.end();
  }
  if (found == opened_.end()) {
    IpcHandle handle{};
    std::memcpy(handle.bytes, wanted.data(), wanted.size());
    Event event = nullptr;
    if (api.ipc_open_event(&event, handle) != kSuccess) {
      // Of a dead process, or without a common /dev/shm: its word is raised all the same.
      return await_on_host(word, word.promised());
    }
    found = opened_.emplace(&word.reached, Opened{wanted, event}).first;
  }
  require(api, api.stream_wait_event(stream, found->second.event, 0), "cuStreamWaitEvent");
}

/// The third choice: everything given to the stream from now on comes later, for we wait here.
void Timeline::await_on_host(const Word& word, std::uint64_t value) {
  microseconds pause = kFirstLook;
  while (word.reached.load() < value) {
    parts_.check();
    std::this_thread::sleep_for(pause);
    pause = std::min(2 * pause, kLastLook);
  }
}

}  // namespace clara_fastio::cuda
