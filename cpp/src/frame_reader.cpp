// SPDX-License-Identifier: Apache-2.0
#include "clara_fastio/frame_reader.hpp"

#include <algorithm>
#include <utility>

#include "clara_fastio/error.hpp"
#include "client/block.hpp"
#include "client/device_access.hpp"
#include "client/relaxed.hpp"
#include "client/segment_cache.hpp"
#include "client/spin.hpp"
#include "client/state.hpp"
#include "client/stream.hpp"
#include "kill_points.hpp"
#include "posix/clock.hpp"

namespace clara_fastio {
namespace {

using layout::StreamState;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;
namespace cell = layout::cell;

constexpr std::uint32_t kNoSlot = layout::kNone;

void add_one(std::atomic<std::uint64_t>& word) noexcept {
  word.store(word.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

}  // namespace

/// What it needs of the core's private parts.
struct FrameReader::State {
  explicit State(Entry& entry)
      : stream(client::Stream::of(entry)),
        spin(nanoseconds(static_cast<std::int64_t>(stream.queue.spin_ns))) {}

  client::Stream stream;
  client::Spin spin;
  layout::Lane* lane = nullptr;
  layout::Member* member = nullptr;
};

FrameReader::FrameReader(std::shared_ptr<Entry> entry, const EdgeOptions& options)
    : entry_(std::move(entry)),
      state_(std::make_unique<State>(*entry_)),
      plan_(layout::SlotPlan::of(state_->stream.queue.slots, state_->stream.queue.slot_nbytes,
                                 entry_->is_on_device())),
      declared_(entry_->declared_shape()),
      element_type_(entry_->element_type()),
      accesses_(entry_->is_on_device() ? state_->stream.queue.slots : 0) {
  if (!declared_.is_dynamic()) declared_nbytes_ = declared_.nbytes(element_type_);
  const protocol::Message answer = client::subscribe(*entry_, options);
  if (answer.lane >= layout::kMaxLanes || answer.member >= layout::kMaxMembers) {
    throw Error(Errc::layout, "the host gave a place in a stream that cannot be");
  }
  member_ = answer.member;
  name_ = answer.text_view();
  state_->lane = &state_->stream.ring.lane(answer.lane);
  state_->member = &state_->stream.ring.member(member_);
}

FrameReader::~FrameReader() {
  close();
  if (!entry_->context().is_foreign()) return;
  // The parent's driver is not this child's, which must not touch it.
  for (auto& access : accesses_) (void)access.release();
}

FrameReader::Found FrameReader::find_next() const noexcept {
  const layout::Lane& lane = *state_->lane;
  const std::uint64_t accepted = lane.accepted.load();
  Found found{kNoSlot, 0};
  std::uint64_t least = accepted + 1;
  for (std::uint32_t slot = 0; slot < state_->stream.ring.slots(); ++slot) {
    const std::uint64_t word = lane.cells[slot].load();
    if (cell::is_queued(word) && cell::number(word) < least) {
      least = cell::number(word);
      found = {slot, word};
    }
  }
  return found;
}

bool FrameReader::has_news() const noexcept {
  return state_->stream.ring.state() != StreamState::open || find_next().slot != kNoSlot;
}

FrameReader::Result FrameReader::try_take(Frame& frame, std::uintptr_t stream) {
  if (is_closed_.load(std::memory_order_relaxed)) {
    throw Error(Errc::closed, "this consumer of " + entry_->label() + " was closed");
  }
  entry_->check();
  if (was_poisoned_.exchange(false)) {
    throw Error(Errc::peer_died, "a frame of " + entry_->label() +
                                     " that was read is not whole: its producer died before its "
                                     "work on the device was done");
  }
  layout::Member& me = *state_->member;
  for (;;) {
    // Before the look for frames: after the end no frame comes.
    const StreamState stream_state = state_->stream.ring.state();
    Found found = find_next();
    if (found.slot == kNoSlot) return nothing(stream_state);
    if (!block_) map();
    const std::uint64_t number = cell::number(found.word);
    me.taking.store(number, std::memory_order_release);
    me.base.store(taken_, std::memory_order_release);
    CLARA_FASTIO_KILL_POINT("frame.taking");
    const bool is_mine = state_->lane->cells[found.slot].compare_exchange_strong(
        found.word, cell::held(number, member_));
    if (!is_mine) continue;
    CLARA_FASTIO_KILL_POINT("frame.held");
    me.taken.store(++taken_, std::memory_order_release);
    held_.fetch_add(1);
    frame.slot = found.slot;
    try {
      describe(frame);
      begin_on_device(frame, stream);
    } catch (...) {
      release(found.slot);
      throw;
    }
    return Result::taken;
  }
}

FrameReader::Result FrameReader::nothing(StreamState stream_state) {
  if (stream_state == StreamState::finished) return Result::over;
  if (stream_state != StreamState::open) {
    throw Error(Errc::peer_died,
                stream_state == StreamState::left
                    ? "the producer of " + entry_->label() + " left without finishing the stream"
                    : "the producer of " + entry_->label() + " died in the middle of the stream");
  }
  if (held_.load() >= state_->stream.ring.slots()) {
    throw Error(Errc::lock_conflict,
                "this consumer holds all " + std::to_string(state_->stream.ring.slots()) +
                    " slots of " + entry_->label() +
                    " and would wait for ever; copy the frames that are to be kept");
  }
  return Result::nothing;
}

/// Has the stream wait until the frame is whole on the device.
void FrameReader::begin_on_device(Frame& frame, std::uintptr_t stream) {
  if (!block_->device) return;
  auto access = std::make_unique<client::DeviceAccess>();
  const std::uint64_t offset = plan_.first + frame.slot * plan_.stride;
  std::shared_ptr<Block> used;
  try {
    used = access->begin(block_, {frame.slot, offset, frame.nbytes},
                         client::DeviceAccess::Kind::read, reinterpret_cast<cuda::Stream>(stream));
  } catch (const Error& error) {
    if (error.code() != Errc::peer_died) throw;
    throw Error(Errc::peer_died, "frame " + std::to_string(frame.number) + " of " +
                                     entry_->label() +
                                     " is not whole: its producer died before its work on the "
                                     "device was done");
  }
  frame.data = nullptr;
  frame.device_data = static_cast<std::uintptr_t>(used->device->data + offset);
  accesses_[frame.slot] = std::move(access);
}

void FrameReader::map() {
  auto block = entry_->readable(/*needs_data=*/true);
  if (!block || block->capacity < plan_.nbytes) {
    throw Error(Errc::layout, "the memory of " + entry_->label() + " does not hold its slots");
  }
  block->segment->map.populate();
  block_ = std::move(block);
  client::pin_if_wanted(*entry_, *block_);
}

const layout::FrameHead& FrameReader::head(std::uint32_t slot) const noexcept {
  return reinterpret_cast<const layout::FrameHead*>(block_->data)[slot];
}

void FrameReader::describe(Frame& frame) {
  const layout::FrameHead& it = head(frame.slot);
  const std::uint64_t version = it.version.load(std::memory_order_acquire);
  bool is_sound = version % 2 == 0 && version != 0;
  frame.version = version / 2;
  frame.number = client::load_relaxed(it.number);
  frame.timestamp = client::load_relaxed(it.committed_monotonic);
  frame.header = it.header;
  frame.data = block_->data + plan_.first + frame.slot * plan_.stride;
  if (!declared_.is_dynamic()) {
    frame.shape = declared_;
    frame.nbytes = declared_nbytes_;
  } else {
    frame.shape.ndim = declared_.ndim;
    client::copy_relaxed(frame.shape.dimensions.data(), it.dimensions, declared_.ndim);
    is_sound = is_sound && !frame.shape.is_dynamic() && frame.shape.fits(declared_);
    if (is_sound) frame.nbytes = frame.shape.nbytes(element_type_);
    is_sound = is_sound && frame.nbytes <= state_->stream.queue.slot_nbytes;
  }
  if (!is_sound) {
    throw Error(Errc::layout,
                "the head of a frame of " + entry_->label() + " holds numbers that cannot be");
  }
  count(frame.timestamp);
}

void FrameReader::count(std::uint64_t committed) noexcept {
  const std::uint64_t now = posix::clock_ns(CLOCK_MONOTONIC);
  const std::uint64_t latency = now > committed ? now - committed : 0;
  layout::Member& me = *state_->member;
  add_one(me.latencies[layout::latency_bucket(latency)]);
  const std::uint64_t deadline = state_->lane->deadline_ns.load(std::memory_order_relaxed);
  if (deadline != 0 && latency > deadline) add_one(me.late);
}

/// The commit of the frame says how long looking for it would have taken.
void FrameReader::adapt_spin(steady_clock::time_point start) noexcept {
  const Found found = find_next();
  if (found.slot == kNoSlot) return;
  const std::uint64_t committed = client::load_relaxed(head(found.slot).committed_monotonic);
  state_->spin.came_after(nanoseconds(static_cast<std::int64_t>(committed)) -
                          start.time_since_epoch());
}

bool FrameReader::wait(nanoseconds slice) {
  entry_->context().check_process();
  const auto start = steady_clock::now();
  if (state_->spin.until([this] { return has_news(); })) return true;
  layout::Lane& lane = *state_->lane;
  const std::uint64_t bit = 1ull << member_;
  lane.sleepers.fetch_or(bit);
  const std::uint32_t seen = lane.event.load();
  bool is_there = has_news();
  // Who frees the variable says so before it bumps the event.
  if (!is_there && !entry_->is_doomed()) {
    CLARA_FASTIO_KILL_POINT("frame.consumer_asleep");
    posix::futex_wait(lane.event, seen, slice);
    is_there = has_news();
  }
  lane.sleepers.fetch_and(~bit);
  if (is_there && block_) {
    adapt_spin(start);
  } else {
    state_->spin.came_after(steady_clock::now() - start);
  }
  if (!is_there) entry_->require_live();
  return is_there;
}

void FrameReader::release(std::uint32_t slot) noexcept {
  if (entry_->context().is_foreign()) return;
  if (!accesses_.empty()) {
    if (is_poisoned(slot)) was_poisoned_.store(true);
    accesses_[slot].reset();  // Promised before the slot is free.
  }
  held_.fetch_sub(1);
  state_->lane->cells[slot].exchange(cell::kFree);
  CLARA_FASTIO_KILL_POINT("frame.released");
  const Ring& ring = state_->stream.ring;
  if (ring.header().asleep.load() != 0) ring.announce_emptied();
}

bool FrameReader::is_poisoned(std::uint32_t slot) const noexcept {
  return slot < accesses_.size() && accesses_[slot] && accesses_[slot]->is_poisoned();
}

void FrameReader::close() noexcept {
  Context& context = entry_->context();
  // A context that was closed here serves what is still held, and the producer waits for this lane.
  if (is_closed_.exchange(true) || context.is_foreign() || context.state().connection->is_dead()) {
    return;
  }
  try {
    protocol::Message message;
    message.operation = protocol::Operation::unsubscribe;
    message.index = entry_->index();
    message.generation = entry_->generation();
    message.member = member_;
    context.state().connection->request(message);
  } catch (const Error&) {
    // The host is gone, and the stream with it.
  }
}

}  // namespace clara_fastio
