// SPDX-License-Identifier: Apache-2.0
#include "host/streams.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "clara_fastio/error.hpp"
#include "kill_points.hpp"

namespace clara_fastio::host {
namespace {

using layout::Policy;
using layout::StreamState;
namespace cell = layout::cell;

constexpr std::uint32_t kNone = layout::kNone;

void add(std::atomic<std::uint64_t>& word, std::uint64_t count) noexcept {
  word.store(word.load() + count);
}

}  // namespace

Stream::Stream(posix::Map map, std::uint64_t segment, const layout::QueueRecord& queue)
    : map_(std::move(map)),
      segment_(segment),
      policy_(queue.policy),
      parameter_(queue.parameter),
      ring_(map_.data(), queue.slots) {
  ring_.header().magic = layout::kRingMagic;
  ring_.header().slots = queue.slots;
}

Stream::Place Stream::subscribe(const protocol::Message& request, std::string name,
                                const std::string& role, const Consumer& consumer) {
  for (std::uint32_t member = 0; member < layout::kMaxMembers; ++member) {
    if (members_[member].state == MemberState::leaving && !holds_frames(member)) {
      end_member(member);
    }
  }
  const bool is_shared = (request.flags & protocol::kShared) != 0;
  const bool is_reserved = (request.flags & protocol::kReserved) != 0;
  if (request.text_view().empty()) name = unique(std::move(name));
  std::uint32_t lane = find_lane(name);
  if (lane != kNone) {
    const LaneRecord& found = lanes_[lane];
    if (found.is_shared != is_shared) {
      throw Error(Errc::already_exists, "the edge '" + name + "' is " +
                                            (found.is_shared ? "" : "not ") +
                                            "shared by a group; subscribe to it alike");
    }
    if (request.queue.policy != Policy::none &&
        (request.queue.policy != found.policy ||
         (found.policy == Policy::sample && request.queue.parameter != found.parameter))) {
      throw Error(Errc::already_exists,
                  "the edge '" + name + "' was made with another policy; leave it out");
    }
    if (!is_reserved && !is_shared && has_members(lane)) {
      throw Error(Errc::already_exists, "the edge '" + name +
                                            "' has its consumer already; choose another name, or "
                                            "share the frames of one edge as a group");
    }
  }
  if (is_reserved) {
    if (lane == kNone) lane = open_lane(request, std::move(name));
    await(lane, role);
    return {lane, kNone, lanes_[lane].name};
  }
  const std::uint32_t member = take_member();
  if (lane == kNone) lane = open_lane(request, std::move(name));
  welcome(lane, role);
  members_[member] = {MemberState::active, lane, consumer};
  layout::Member& words = ring_.member(member);
  words.lane = lane;
  words.slot = consumer.slot;
  words.pid = static_cast<std::uint32_t>(consumer.pid);
  words.state.store(static_cast<std::uint32_t>(MemberState::active));
  CLARA_FASTIO_KILL_POINT("host.subscribe.member");
  return {lane, member, lanes_[lane].name};
}

/// Keeps the lane open until this one has come, too.
void Stream::await(std::uint32_t lane, const std::string& role) {
  std::vector<std::string>& awaited = lanes_[lane].awaited;
  if (!lanes_[lane].is_shared && has_members(lane)) return;
  if (std::find(awaited.begin(), awaited.end(), role) != awaited.end()) return;
  if (awaited.size() == layout::kMaxMembers) {
    throw Error(Errc::out_of_memory,
                "an edge awaits at most " + std::to_string(layout::kMaxMembers) + " consumers", 1,
                0);
  }
  awaited.push_back(role);
}

void Stream::welcome(std::uint32_t lane, const std::string& role) noexcept {
  std::vector<std::string>& awaited = lanes_[lane].awaited;
  if (!lanes_[lane].is_shared) return awaited.clear();
  auto found = std::find(awaited.begin(), awaited.end(), role);
  if (found == awaited.end()) found = std::find(awaited.begin(), awaited.end(), std::string_view());
  if (found != awaited.end()) awaited.erase(found);
}

void Stream::unreserve(const std::string& name, const std::string& role) noexcept {
  const std::uint32_t lane = find_lane(name);
  if (lane == kNone) return;
  std::erase(lanes_[lane].awaited, role);
  if (!is_wanted(lane)) close_lane(lane);
}

std::string Stream::unique(std::string name) const {
  if (find_lane(name) == kNone) return name;
  for (int number = 2;; ++number) {
    std::string numbered = name + "#" + std::to_string(number);
    if (find_lane(numbered) == kNone) return numbered;
  }
}

std::uint32_t Stream::find_lane(const std::string& name) const noexcept {
  for (std::uint32_t lane = 0; lane < used_lanes_; ++lane) {
    if (lanes_[lane].is_open && lanes_[lane].name == name) return lane;
  }
  return kNone;
}

/// A closed lane of that name goes on with its counters; else a new one, or the one closed first.
std::uint32_t Stream::take_lane(const std::string& name) {
  std::uint32_t first = kNone;
  for (std::uint32_t lane = 0; lane < used_lanes_; ++lane) {
    if (lanes_[lane].is_open) continue;
    if (lanes_[lane].name == name) return lane;
    const bool is_held = std::any_of(members_.begin(), members_.end(), [lane](const auto& one) {
      return one.lane == lane &&
             (one.state == MemberState::active || one.state == MemberState::leaving);
    });
    if (!is_held && (first == kNone || lanes_[lane].closed < lanes_[first].closed)) first = lane;
  }
  if (used_lanes_ < layout::kMaxLanes) {
    ring_.header().lanes.store(used_lanes_ + 1);
    return used_lanes_++;
  }
  if (first == kNone) {
    throw Error(Errc::out_of_memory,
                "a stream has at most " + std::to_string(layout::kMaxLanes) +
                    " consumers or groups at a time, and all are in use",
                1, 0);
  }
  clear_lane(first);
  return first;
}

/// The lane starts anew under another name. Requires: nobody is a member of it.
void Stream::clear_lane(std::uint32_t index) noexcept {
  for (std::uint32_t member = 0; member < layout::kMaxMembers; ++member) {
    if (members_[member].state == MemberState::left && members_[member].lane == index) {
      free_member(member);
    }
  }
  layout::Lane& lane = ring_.lane(index);
  lane.accepted_before.store(std::max(lane.accepted.load(), lanes_[index].purged));
  lane.skipped_before.store(lane.skipped.load());
  for (auto* word : {&lane.taken, &lane.late, &lane.lost, &lane.unread}) word->store(0);
  for (auto& bucket : lane.latencies) bucket.store(0);
}

std::uint32_t Stream::open_lane(const protocol::Message& request, std::string name) {
  const std::uint32_t index = take_lane(name);
  layout::Lane& lane = ring_.lane(index);
  LaneRecord& record = lanes_[index];
  const bool is_own = request.queue.policy != Policy::none;
  record.name = std::move(name);
  record.is_shared = (request.flags & protocol::kShared) != 0;
  record.policy = is_own ? request.queue.policy : policy_;
  record.parameter = is_own ? request.queue.parameter : parameter_;
  lane.policy.store(static_cast<std::uint32_t>(record.policy));
  lane.parameter.store(record.parameter);
  lane.is_shared.store(record.is_shared ? 1 : 0);
  lane.deadline_ns.store(request.queue.spin_ns);
  lane.name_nbytes = static_cast<std::uint32_t>(std::min(record.name.size(), sizeof(lane.name)));
  std::memcpy(lane.name, record.name.data(), lane.name_nbytes);
  lane.sleepers.store(0);
  add(lane.unread, purge(index));
  CLARA_FASTIO_KILL_POINT("host.subscribe.purged");
  record.is_open = true;
  ring_.header().open.fetch_or(1ull << index);
  ring_.announce_emptied();
  return index;
}

/// Nobody will read what waits in the lane.
std::uint64_t Stream::purge(std::uint32_t lane) noexcept {
  std::uint64_t count = 0;
  for (std::uint32_t slot = 0; slot < ring_.slots(); ++slot) {
    std::atomic<std::uint64_t>& one = ring_.lane(lane).cells[slot];
    std::uint64_t word = one.load();
    if (!cell::is_queued(word) || !one.compare_exchange_strong(word, cell::kFree)) continue;
    const std::uint64_t number = cell::number(word);
    lanes_[lane].purged = std::max(lanes_[lane].purged, number);
    // One that was accepted under another name is none of this name's.
    if (number > ring_.lane(lane).accepted_before.load()) ++count;
  }
  return count;
}

void Stream::close_lane(std::uint32_t lane) noexcept {
  if (!lanes_[lane].is_open) return;
  lanes_[lane].is_open = false;
  lanes_[lane].awaited.clear();
  lanes_[lane].closed = ++closings_;
  ring_.header().open.fetch_and(~(1ull << lane));
  CLARA_FASTIO_KILL_POINT("host.unsubscribe.closed");
  // The producer bumps this word between its frame and its second look at the mask: either that
  // look sees the lane closed, or what follows here sees the frame.
  Ring::announce_to_all(ring_.lane(lane));
  add(ring_.lane(lane).unread, purge(lane));
  ring_.announce_emptied();
}

std::uint32_t Stream::take_member() {
  for (std::uint32_t member = 0; member < layout::kMaxMembers; ++member) {
    if (members_[member].state == MemberState::free) return member;
  }
  for (std::uint32_t member = 0; member < layout::kMaxMembers; ++member) {
    if (members_[member].state != MemberState::left) continue;
    free_member(member);
    return member;
  }
  throw Error(Errc::out_of_memory,
              "a stream has at most " + std::to_string(layout::kMaxMembers) +
                  " consumers at a time, and all are in use",
              1, 0);
}

bool Stream::has_members(std::uint32_t lane) const noexcept {
  return std::any_of(members_.begin(), members_.end(), [lane](const MemberRecord& one) {
    return one.state == MemberState::active && one.lane == lane;
  });
}

bool Stream::is_wanted(std::uint32_t lane) const noexcept {
  return has_members(lane) || !lanes_[lane].awaited.empty();
}

bool Stream::holds_frames(std::uint32_t member) const noexcept {
  const layout::Lane& lane = ring_.lane(members_[member].lane);
  for (std::uint32_t slot = 0; slot < ring_.slots(); ++slot) {
    const std::uint64_t word = lane.cells[slot].load();
    if (cell::is_held(word) && cell::member(word) == member) return true;
  }
  return false;
}

/// Its numbers stay to be read for as long as nobody needs its place.
/// Requires: it holds no frame.
void Stream::end_member(std::uint32_t member) noexcept {
  members_[member].state = MemberState::left;
  ring_.member(member).state.store(layout::kMemberLeft);
}

/// Its numbers become the lane's. Requires: it holds no frame.
void Stream::free_member(std::uint32_t member) noexcept {
  layout::Member& words = ring_.member(member);
  layout::Lane& lane = ring_.lane(members_[member].lane);
  add(lane.taken, words.taken.load());
  add(lane.late, words.late.load());
  for (std::uint32_t i = 0; i < layout::kLatencyBuckets; ++i) {
    add(lane.latencies[i], words.latencies[i].load());
    words.latencies[i].store(0);
  }
  for (auto* word : {&words.taking, &words.base, &words.taken, &words.late}) word->store(0);
  words.state.store(static_cast<std::uint32_t>(MemberState::free));
  members_[member].state = MemberState::free;
}

/// No more frames for it; the lane goes with its last member.
void Stream::leave(std::uint32_t member) noexcept {
  const std::uint32_t lane = members_[member].lane;
  members_[member].state = MemberState::leaving;
  ring_.member(member).state.store(static_cast<std::uint32_t>(MemberState::leaving));
  if (!holds_frames(member)) end_member(member);
  if (is_wanted(lane)) {
    // It may have been woken for a frame that it did not take.
    Ring::announce_to_all(ring_.lane(lane));
  } else {
    close_lane(lane);
  }
}

void Stream::unsubscribe(std::uint32_t member, std::uint32_t slot) {
  if (member >= layout::kMaxMembers || members_[member].state != MemberState::active ||
      members_[member].consumer.slot != slot) {
    throw Error(Errc::closed, "this process has no such place in the stream");
  }
  leave(member);
}

void Stream::repair_consumer(std::uint32_t process) noexcept {
  for (std::uint32_t index = 0; index < layout::kMaxMembers; ++index) {
    const MemberRecord record = members_[index];
    if (record.state == MemberState::free || record.state == MemberState::left) continue;
    if (record.consumer.slot != process) continue;
    layout::Member& words = ring_.member(index);
    layout::Lane& lane = ring_.lane(record.lane);
    for (std::uint32_t slot = 0; slot < ring_.slots(); ++slot) {
      const std::uint64_t word = lane.cells[slot].load();
      if (!cell::is_held(word) || cell::member(word) != index) continue;
      // It died between the two words that say so.
      if (cell::number(word) == words.taking.load()) words.taken.store(words.base.load() + 1);
      lane.cells[slot].store(cell::kFree);
      add(lane.lost, 1);
    }
    CLARA_FASTIO_KILL_POINT("host.repair.stream");
    lane.sleepers.fetch_and(~(1ull << index));
    if (record.state == MemberState::active) {
      leave(index);
    } else {
      end_member(index);
    }
    // Also when the lane was closed before: others may have slept through a wake-up meant for it.
    Ring::announce_to_all(lane);
  }
  ring_.announce_emptied();
}

void Stream::repair_producer(bool has_died) noexcept {
  for (std::uint32_t index = 0; index < used_lanes_; ++index) {
    layout::Lane& lane = ring_.lane(index);
    std::uint64_t last = std::max(lane.accepted.load(), lanes_[index].purged);
    for (std::uint32_t slot = 0; slot < ring_.slots(); ++slot) {
      const std::uint64_t word = lane.cells[slot].load();
      if (word != cell::kFree) last = std::max(last, cell::number(word));
    }
    // It died between the two words that say so.
    lane.accepted.store(last);
    // It may have queued into a lane that was closed meanwhile, and died before it looked again.
    if (!lanes_[index].is_open) add(lane.unread, purge(index));
  }
  ring_.header().asleep.store(0);
  auto open = static_cast<std::uint32_t>(StreamState::open);
  ring_.header().state.compare_exchange_strong(
      open, static_cast<std::uint32_t>(has_died ? StreamState::died : StreamState::left));
  announce_end();
}

void Stream::announce_end() noexcept {
  for (std::uint32_t lane = 0; lane < used_lanes_; ++lane) {
    Ring::announce_to_all(ring_.lane(lane));
  }
  ring_.announce_emptied();
}

}  // namespace clara_fastio::host
