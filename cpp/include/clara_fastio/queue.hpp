// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "clara_fastio/export.hpp"
#include "clara_fastio/layout.hpp"
#include "clara_fastio/ring_layout.hpp"

namespace clara_fastio {

/// What a variable declares that carries a stream of frames.
struct QueueOptions {
  std::uint32_t depth = 0;  ///< frames that may wait or be read at a time; 0: no queue
  layout::Policy policy = layout::Policy::block;
  std::uint32_t parameter = 1;     ///< of `sample`: every how many frames
  std::uint64_t slot_nbytes = 0;   ///< of the largest frame; 0: of the declared shape
  std::uint64_t spin_ns = 20'000;  ///< a wait looks for so long before it sleeps; 0: not at all
};

/// How a consumer wants its frames.
struct EdgeOptions {
  std::string name;  ///< empty: the host makes one
  bool is_shared = false;
  bool is_reserved = false;                      ///< no consumer yet: frames wait for it
  std::string role;                              ///< of who is to come; empty: whoever comes
  layout::Policy policy = layout::Policy::none;  ///< none: the queue's, or what was reserved
  std::uint32_t parameter = 1;
  std::uint64_t deadline_ns = 0;
};

/// One consumer of an edge, for people.
struct MemberInfo {
  std::int32_t pid = 0;
  std::uint32_t slot = 0;
  std::uint64_t taken = 0;
  std::uint64_t held = 0;
  std::uint64_t late = 0;
  bool has_left = false;
};

/// The counters of an edge. At rest `accepted = taken + dropped + unread + queued`.
struct EdgeInfo {
  std::string name;
  bool is_open = false;
  bool is_shared = false;
  layout::Policy policy = layout::Policy::none;
  std::uint32_t parameter = 1;
  std::uint64_t deadline_ns = 0;
  std::uint64_t accepted = 0;
  std::uint64_t skipped = 0;
  std::uint64_t taken = 0;
  std::uint64_t late = 0;
  std::uint64_t lost = 0;
  std::uint64_t unread = 0;
  std::uint64_t queued = 0;
  std::uint64_t held = 0;
  std::uint64_t dropped = 0;
  std::vector<std::uint64_t> latencies;  ///< frames in each bucket, see `layout::latency_bucket`
  std::vector<MemberInfo> members;
};

struct StreamInfo {
  std::uint32_t depth = 0;
  layout::Policy policy = layout::Policy::none;
  std::uint32_t parameter = 1;
  std::uint64_t slot_nbytes = 0;
  layout::StreamState state = layout::StreamState::open;
  std::uint64_t produced = 0;
  std::uint64_t unclaimed = 0;
  std::uint64_t blocked_ns = 0;
  std::vector<EdgeInfo> edges;
};

class Entry;

/// Makes an edge whose consumer comes later; its frames wait. One that is there already awaits
/// this one too: a group is kept until all that are awaited have come.
/// Throws: `Errc::already_exists` when it is there with another policy or not shared alike.
CLARA_FASTIO_EXPORT void reserve_edge(Entry& entry, const EdgeOptions& options);

/// Awaits a consumer no longer, so that its edge is closed when nobody else is there or awaited.
/// Nothing when it has come.
CLARA_FASTIO_EXPORT void unreserve_edge(Entry& entry, const std::string& name,
                                        const std::string& role);

/// What the words of a stream say now. Numbers of one edge are looked at one after the other, so
/// while frames flow they may disagree by those that moved meanwhile.
/// Throws: `Errc::invalid_argument` for an entry without a queue.
CLARA_FASTIO_EXPORT StreamInfo stream_info(Entry& entry);

}  // namespace clara_fastio
