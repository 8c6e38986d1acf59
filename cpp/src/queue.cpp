// SPDX-License-Identifier: Apache-2.0
#include "clara_fastio/queue.hpp"

#include <algorithm>
#include <string>

#include "clara_fastio/entry.hpp"
#include "client/stream.hpp"

namespace clara_fastio {
namespace {

namespace cell = layout::cell;

void add_members(const Ring& ring, std::uint32_t lane, EdgeInfo& edge) {
  for (std::uint32_t index = 0; index < layout::kMaxMembers; ++index) {
    const layout::Member& member = ring.member(index);
    if (member.state.load() == 0 || member.lane != lane) continue;
    MemberInfo info;
    info.pid = static_cast<std::int32_t>(member.pid);
    info.slot = member.slot;
    info.taken = member.taken.load();
    info.late = member.late.load();
    info.has_left = member.state.load() == layout::kMemberLeft;
    for (std::uint32_t slot = 0; slot < ring.slots(); ++slot) {
      const std::uint64_t word = ring.lane(lane).cells[slot].load();
      if (cell::is_held(word) && cell::member(word) == index) ++info.held;
    }
    edge.taken += info.taken;
    edge.late += info.late;
    for (std::uint32_t i = 0; i < layout::kLatencyBuckets; ++i) {
      edge.latencies[i] += member.latencies[i].load();
    }
    edge.members.push_back(info);
  }
}

EdgeInfo edge_info(const Ring& ring, std::uint32_t index) {
  const layout::Lane& lane = ring.lane(index);
  EdgeInfo edge;
  edge.name.assign(lane.name, std::min<std::size_t>(lane.name_nbytes, sizeof(lane.name)));
  edge.is_open = (ring.header().open.load() >> index & 1) != 0;
  edge.is_shared = lane.is_shared.load() != 0;
  edge.policy = static_cast<layout::Policy>(lane.policy.load());
  edge.parameter = lane.parameter.load();
  edge.deadline_ns = lane.deadline_ns.load();
  // What comes out is looked at before what went in, so the difference is never below zero.
  edge.taken = lane.taken.load();
  edge.late = lane.late.load();
  edge.lost = lane.lost.load();
  edge.unread = lane.unread.load();
  edge.latencies.resize(layout::kLatencyBuckets);
  for (std::uint32_t i = 0; i < layout::kLatencyBuckets; ++i) {
    edge.latencies[i] = lane.latencies[i].load();
  }
  add_members(ring, index, edge);
  for (std::uint32_t slot = 0; slot < ring.slots(); ++slot) {
    const std::uint64_t word = lane.cells[slot].load();
    edge.queued += cell::is_queued(word) ? 1 : 0;
    edge.held += cell::is_held(word) ? 1 : 0;
  }
  // Who had the lane before may have lost a frame that is not counted as accepted yet.
  const std::uint64_t before = lane.accepted_before.load();
  edge.accepted = std::max(lane.accepted.load(), before) - before;
  edge.skipped = lane.skipped.load() - lane.skipped_before.load();
  const std::uint64_t seen = edge.taken + edge.unread + edge.queued;
  edge.dropped = edge.accepted > seen ? edge.accepted - seen : 0;
  return edge;
}

}  // namespace

void reserve_edge(Entry& entry, const EdgeOptions& options) {
  EdgeOptions wanted = options;
  wanted.is_reserved = true;
  (void)client::subscribe(entry, wanted);
}

void unreserve_edge(Entry& entry, const std::string& name, const std::string& role) {
  client::unreserve(entry, name, role);
}

StreamInfo stream_info(Entry& entry) {
  const client::Stream stream = client::Stream::of(entry);
  const Ring& ring = stream.ring;
  StreamInfo info;
  info.depth = stream.queue.slots;
  info.policy = stream.queue.policy;
  info.parameter = stream.queue.parameter;
  info.slot_nbytes = stream.queue.slot_nbytes;
  info.state = ring.state();
  for (std::uint32_t lane = 0; lane < ring.lanes(); ++lane) {
    info.edges.push_back(edge_info(ring, lane));
  }
  info.produced = ring.header().produced.load();
  info.unclaimed = ring.header().unclaimed.load();
  info.blocked_ns = ring.header().blocked_ns.load();
  return info;
}

}  // namespace clara_fastio
