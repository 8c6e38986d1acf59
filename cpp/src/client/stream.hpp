// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "clara_fastio/protocol.hpp"
#include "clara_fastio/queue.hpp"
#include "client/segment_cache.hpp"
#include "client/tables.hpp"
#include "ring.hpp"

namespace clara_fastio {

class Entry;

namespace client {

/// A stream in this process: its words, and what its record says of it.
struct Stream {
  std::shared_ptr<SegmentMap> map;
  layout::QueueRecord queue;
  Ring ring;

  /// Throws: `Errc::invalid_argument` for an entry without a queue; what asking the host throws.
  static Stream of(Entry& entry);
};

/// A place in a lane, or the lane alone; the answer names both.
protocol::Message subscribe(Entry& entry, const EdgeOptions& options);
void unreserve(Entry& entry, const std::string& name, const std::string& role);

}  // namespace client
}  // namespace clara_fastio
