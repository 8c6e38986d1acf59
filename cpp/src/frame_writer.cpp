// SPDX-License-Identifier: Apache-2.0
#include "clara_fastio/frame_writer.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "clara_fastio/error.hpp"
#include "client/block.hpp"
#include "client/device_access.hpp"
#include "client/relaxed.hpp"
#include "client/spin.hpp"
#include "client/state.hpp"
#include "client/stream.hpp"
#include "kill_points.hpp"
#include "posix/clock.hpp"

namespace clara_fastio {
namespace {

using layout::Policy;
using layout::StreamState;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;
namespace cell = layout::cell;

}  // namespace

/// What it needs of the core's private parts.
struct FrameWriter::State {
  explicit State(Entry& entry)
      : stream(client::Stream::of(entry)),
        spin(nanoseconds(static_cast<std::int64_t>(stream.queue.spin_ns))) {}

  client::Stream stream;
  client::Spin spin;
};

std::shared_ptr<FrameWriter> FrameWriter::of(const std::shared_ptr<Entry>& entry) {
  const std::lock_guard lock(entry->slow_mutex_);
  auto writer = entry->writer_.lock();
  if (!writer) {
    writer = std::make_shared<FrameWriter>(entry);
    entry->writer_ = writer;
  }
  return writer;
}

FrameWriter::FrameWriter(std::shared_ptr<Entry> entry)
    : entry_(std::move(entry)),
      state_(std::make_unique<State>(*entry_)),
      plan_(layout::SlotPlan::of(state_->stream.queue.slots, state_->stream.queue.slot_nbytes,
                                 entry_->is_on_device())),
      declared_(entry_->declared_shape()),
      element_type_(entry_->element_type()) {}

FrameWriter::~FrameWriter() { abort(); }

const Ring& FrameWriter::ring() const noexcept { return state_->stream.ring; }

layout::FrameHead& FrameWriter::head(std::uint32_t slot) const noexcept {
  return reinterpret_cast<layout::FrameHead*>(block_->data)[slot];
}

std::byte* FrameWriter::data() const noexcept {
  return block_->data + plan_.first + slot_ * plan_.stride;
}

void FrameWriter::open_stream() {
  check_open();
  auto block = entry_->writable(plan_.nbytes, 0, false);
  if (block->capacity < plan_.nbytes) {
    throw Error(Errc::layout, "the memory of " + entry_->label() + " is too small for its slots");
  }
  next_number_ = ring().header().next_number.load();
  block_ = std::move(block);
  client::pin_if_wanted(*entry_, *block_);
  // Frames of an earlier writer of this process may be under way.
  for (std::uint32_t slot = 0; slot < ring().slots(); ++slot) {
    const layout::FrameHead& it = head(slot);
    used_[slot] = it.version.load() > 1 ? it.number + 1 : 0;
    queued_[slot] = ~0u;
  }
}

void FrameWriter::check_open() {
  entry_->check();
  switch (ring().state()) {
    case StreamState::open:
      return;
    case StreamState::finished:
      throw Error(Errc::closed, "the stream of " + entry_->label() + " was finished");
    default:
      throw Error(Errc::closed, "the stream of " + entry_->label() +
                                    " ended with its producer; free the variable and declare it "
                                    "anew to start another");
  }
}

/// Has the stream wait for those who still read what was in the slot.
void FrameWriter::begin_on_device() {
  if (!block_->device) return;
  device_ = std::make_unique<client::DeviceAccess>();
  const client::DeviceAccess::Part part{slot_, plan_.first + slot_ * plan_.stride,
                                        state_->stream.queue.slot_nbytes};
  used_block_ = device_->begin(block_, part, client::DeviceAccess::Kind::write,
                               reinterpret_cast<cuda::Stream>(stream_));
}

std::uintptr_t FrameWriter::device_data() const noexcept {
  if (!used_block_ || !used_block_->device) return 0;
  return static_cast<std::uintptr_t>(used_block_->device->data + plan_.first +
                                     slot_ * plan_.stride);
}

bool FrameWriter::try_next(std::uintptr_t stream) {
  if (slot_ != kNoSlot) {
    throw Error(Errc::lock_conflict, "a frame of " + entry_->label() +
                                         " is open already; commit or leave it before the next");
  }
  if (block_) {
    check_open();
  } else {
    open_stream();
  }
  if (waits_for_consumer()) return false;
  std::uint32_t slot = find_free();
  // Not without end: others may write the cells.
  for (std::uint32_t i = 0; slot == kNoSlot && i < ring().slots() && drop_oldest(); ++i) {
    slot = find_free();
  }
  if (slot == kNoSlot) return false;
  slot_ = slot;
  number_ = next_number_;
  shape_ = declared_;
  nbytes_ = declared_.is_dynamic() ? 0 : declared_.nbytes(element_type_);
  queued_[slot] = 0;
  std::memset(header_, 0, sizeof(header_));
  used_block_ = block_;
  stream_ = stream;
  try {
    begin_on_device();
  } catch (...) {
    slot_ = kNoSlot;
    throw;
  }
  layout::FrameHead& it = head(slot);
  it.version.store(it.version.load(std::memory_order_relaxed) | 1, std::memory_order_relaxed);
  // No write to the content becomes visible before it.
  std::atomic_thread_fence(std::memory_order_release);
  CLARA_FASTIO_KILL_POINT("frame.version_odd");
  return true;
}

/// Once somebody has consumed, frames that nobody wants are counted instead.
bool FrameWriter::waits_for_consumer() const noexcept {
  return state_->stream.queue.policy == Policy::block && ring().lanes() == 0;
}

/// Only the producer makes a cell something else than free: it looks at those that it queued into,
/// of lanes that are closed too, for a look at the mask may have been long ago.
bool FrameWriter::is_free(std::uint32_t slot) const noexcept {
  for (std::uint32_t left = queued_[slot]; left != 0; left &= left - 1) {
    const auto lane = static_cast<std::uint32_t>(std::countr_zero(left));
    if (ring().lane(lane).cells[slot].load() != cell::kFree) return false;
  }
  return true;
}

/// The one used last is still in the caches.
std::uint32_t FrameWriter::find_free() const noexcept {
  std::uint32_t best = kNoSlot;
  for (std::uint32_t slot = 0; slot < ring().slots(); ++slot) {
    if (best != kNoSlot && used_[slot] <= used_[best]) continue;
    if (is_free(slot)) best = slot;
  }
  return best;
}

/// Whether everybody who wants the frame in the slot may lose it.
bool FrameWriter::may_drop(std::uint32_t slot) const noexcept {
  for (std::uint32_t left = queued_[slot]; left != 0; left &= left - 1) {
    const layout::Lane& lane = ring().lane(static_cast<std::uint32_t>(std::countr_zero(left)));
    const std::uint64_t word = lane.cells[slot].load();
    if (word == cell::kFree) continue;
    if (!cell::is_queued(word)) return false;
    if (static_cast<Policy>(lane.policy.load()) == Policy::block) return false;
  }
  return true;
}

bool FrameWriter::drop_oldest() noexcept {
  std::uint32_t oldest = kNoSlot;
  for (std::uint32_t slot = 0; slot < ring().slots(); ++slot) {
    if (oldest != kNoSlot && used_[slot] >= used_[oldest]) continue;
    if (may_drop(slot)) oldest = slot;
  }
  if (oldest == kNoSlot) return false;
  for (std::uint32_t index = 0; index < ring().lanes(); ++index) {
    std::atomic<std::uint64_t>& one = ring().lane(index).cells[oldest];
    std::uint64_t word = one.load();
    if (cell::is_queued(word)) one.compare_exchange_strong(word, cell::kFree);
    CLARA_FASTIO_KILL_POINT("frame.dropped");
  }
  return true;  // Somebody may have taken it meanwhile: look again.
}

bool FrameWriter::is_ready() const noexcept {
  if (waits_for_consumer()) return false;
  if (find_free() != kNoSlot) return true;
  for (std::uint32_t slot = 0; slot < ring().slots(); ++slot) {
    if (may_drop(slot)) return true;
  }
  return false;
}

void FrameWriter::wait(nanoseconds slice) {
  entry_->context().check_process();
  layout::RingHeader& words = ring().header();
  const auto start = steady_clock::now();
  bool is_done = state_->spin.until([this] { return is_ready(); });
  if (!is_done) {
    words.asleep.store(1);
    const std::uint32_t seen = words.emptied.load();
    is_done = is_ready();
    // Who frees the variable says so before it bumps the word.
    if (!is_done && !entry_->is_doomed()) {
      CLARA_FASTIO_KILL_POINT("frame.producer_asleep");
      posix::futex_wait(words.emptied, seen, slice);
    }
    words.asleep.store(0);
    const nanoseconds slept = steady_clock::now() - start;
    state_->spin.came_after(slept);
    if (!is_done) entry_->require_live();
  }
  const nanoseconds blocked = steady_clock::now() - start;
  words.blocked_ns.store(words.blocked_ns.load(std::memory_order_relaxed) +
                             static_cast<std::uint64_t>(blocked.count()),
                         std::memory_order_relaxed);
}

void FrameWriter::throw_blocked(bool waited) {
  const std::string who = entry_->label();  // Throws in a forked child.
  const std::string why = waits_for_consumer()
                              ? who + " has no consumer yet"
                              : "all " + std::to_string(ring().slots()) + " slots of " + who +
                                    " hold frames that consumers wait for or read";
  if (waited) throw Error(Errc::lock_timeout, why + ", and the time-out is over");
  throw Error(Errc::lock_conflict, why + "; wait with a timeout");
}

void FrameWriter::set_shape(const Shape& shape) {
  if (shape.is_dynamic() || !shape.fits(declared_)) {
    throw Error(Errc::shape, shape.text() + " does not fit " + entry_->label() +
                                 ", which is declared as " + declared_.text());
  }
  const std::uint64_t nbytes = shape.nbytes(element_type_);
  if (nbytes > state_->stream.queue.slot_nbytes) {
    throw Error(Errc::shape, "a frame of shape " + shape.text() + " needs " +
                                 std::to_string(nbytes) + " bytes, and a slot of " +
                                 entry_->label() + " has " +
                                 std::to_string(state_->stream.queue.slot_nbytes) +
                                 "; declare the queue with a larger max_shape");
  }
  shape_ = shape;
  nbytes_ = nbytes;
}

void FrameWriter::set_number(std::uint64_t number) {
  if (number < next_number_) {
    throw Error(Errc::invalid_argument, "the numbers of frames grow: " + std::to_string(number) +
                                            " comes after " + std::to_string(next_number_ - 1) +
                                            " in " + entry_->label());
  }
  number_ = number;
}

void FrameWriter::set_header(std::string_view bytes) {
  if (bytes.size() > sizeof(header_)) {
    throw Error(Errc::invalid_argument,
                "the header of a frame has 64 bytes; found " + std::to_string(bytes.size()));
  }
  std::memset(header_, 0, sizeof(header_));
  std::memcpy(header_, bytes.data(), bytes.size());
}

void FrameWriter::commit() {
  if (slot_ == kNoSlot) return;
  entry_->context().check_process();
  if (device_) {
    const auto device = std::exchange(device_, nullptr);
    try {
      device->end(true);
    } catch (...) {
      slot_ = kNoSlot;
      throw;
    }
  }
  layout::FrameHead& it = head(slot_);
  it.number = number_;
  it.ndim = shape_.ndim;
  if (declared_.is_dynamic()) {
    std::copy_n(shape_.dimensions.begin(), shape_.ndim, it.dimensions);
  }
  std::memcpy(it.header, header_, sizeof(header_));
  it.committed_monotonic = posix::clock_ns(CLOCK_MONOTONIC);
  CLARA_FASTIO_KILL_POINT("frame.before_commit");
  it.version.store(it.version.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  CLARA_FASTIO_KILL_POINT("frame.committed");
  next_number_ = number_ + 1;
  used_[slot_] = next_number_;
  show();
  slot_ = kNoSlot;
}

void FrameWriter::show() noexcept {
  layout::RingHeader& words = ring().header();
  const auto add = [](std::atomic<std::uint64_t>& word) {
    word.store(word.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  };
  words.next_number.store(next_number_, std::memory_order_relaxed);
  add(words.produced);
  const std::uint64_t open = words.open.load() & ((1ull << layout::kMaxLanes) - 1);
  CLARA_FASTIO_KILL_POINT("frame.mask_read");
  if (open == 0) add(words.unclaimed);
  for (std::uint64_t left = open; left != 0; left &= left - 1) {
    queue(static_cast<std::uint32_t>(std::countr_zero(left)));
  }
  // A lane that was closed meanwhile: its host may have looked before the frame came.
  for (std::uint64_t closed = open & ~words.open.load(); closed != 0; closed &= closed - 1) {
    take_back(static_cast<std::uint32_t>(std::countr_zero(closed)));
  }
}

void FrameWriter::queue(std::uint32_t index) noexcept {
  layout::Lane& lane = ring().lane(index);
  const auto policy = static_cast<Policy>(lane.policy.load(std::memory_order_relaxed));
  if (policy == Policy::sample) {
    const std::uint32_t every = std::max(1u, lane.parameter.load(std::memory_order_relaxed));
    if (number_ % every != 0) {
      lane.skipped.store(lane.skipped.load(std::memory_order_relaxed) + 1,
                         std::memory_order_relaxed);
      return;
    }
  }
  const std::uint64_t number = lane.accepted.load(std::memory_order_relaxed) + 1;
  queued_[slot_] |= 1u << index;
  lane.cells[slot_].store(cell::queued(number), std::memory_order_release);
  CLARA_FASTIO_KILL_POINT("frame.queued");
  lane.accepted.store(number, std::memory_order_release);
  CLARA_FASTIO_KILL_POINT("frame.accepted");
  // Sequentially consistent: who sleeps has said so before this, or sees it.
  lane.event.fetch_add(1);
  CLARA_FASTIO_KILL_POINT("frame.event_bumped");
  if (policy == Policy::latest) {
    for (std::uint32_t slot = 0; slot < ring().slots(); ++slot) {
      std::uint64_t word = lane.cells[slot].load();
      if (slot != slot_ && cell::is_queued(word)) {
        lane.cells[slot].compare_exchange_strong(word, cell::kFree);
      }
    }
  }
  if (lane.sleepers.load() == 0) return;
  if (lane.is_shared.load(std::memory_order_relaxed) != 0) {
    posix::futex_wake_one(lane.event);
  } else {
    posix::futex_wake_all(lane.event);
  }
}

void FrameWriter::take_back(std::uint32_t index) noexcept {
  std::atomic<std::uint64_t>& one = ring().lane(index).cells[slot_];
  std::uint64_t word = one.load();
  if (cell::is_queued(word)) one.compare_exchange_strong(word, cell::kFree);
}

void FrameWriter::abort() noexcept {
  slot_ = kNoSlot;
  // The parent's driver is not this child's, which must not touch it.
  if (device_ && entry_->context().is_foreign()) (void)device_.release();
  device_.reset();
}

void FrameWriter::finish() {
  abort();
  entry_->check();
  if (ring().state() == StreamState::finished) return;
  if (!block_) open_stream();
  auto open = static_cast<std::uint32_t>(StreamState::open);
  ring().header().state.compare_exchange_strong(open,
                                                static_cast<std::uint32_t>(StreamState::finished));
  CLARA_FASTIO_KILL_POINT("frame.finished");
  for (std::uint32_t lane = 0; lane < ring().lanes(); ++lane) {
    Ring::announce_to_all(ring().lane(lane));
  }
}

}  // namespace clara_fastio
