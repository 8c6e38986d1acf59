// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "clara_fastio/context.hpp"
#include "clara_fastio/entry.hpp"
#include "client/connection.hpp"
#include "client/device_memory.hpp"
#include "client/pool.hpp"
#include "client/segment_cache.hpp"
#include "client/tables.hpp"
#include "client/watcher.hpp"
#include "posix/fork_guard.hpp"

namespace clara_fastio {

/// What a process keeps about a context that it opened.
struct Context::State {
  State(std::string context_name, client::Connection* opened, std::unique_ptr<client::Tables> own,
        std::uint64_t pool_limit)
      : name(std::move(context_name)),
        connection(opened),
        tables(std::move(own)),
        devices({*connection, segments, slot, [this] { check(); }}),
        pool(pool_limit) {}

  /// Throws when the host is gone, or the context was closed here.
  void check() const;

  std::string name;
  std::mutex host_mutex;
  std::unique_ptr<Host> host;  ///< in the process that hosts it, until it closes the context
  bool is_host = false;
  std::unique_ptr<client::Connection> connection;
  std::unique_ptr<client::Tables> tables;
  client::SegmentCache segments;
  client::DeviceMemory devices;
  client::Pool pool;
  std::unique_ptr<client::Watcher> watcher;
  std::uint32_t slot = 0;
  std::uint64_t slot_generation = 0;
  std::uint64_t role_hash = 0;
  std::uint64_t fork_generation = posix::fork_generation();
  std::atomic<bool> is_closed = false;
  std::atomic<bool> is_finished = false;

  /// Held from a request for memory until its segment is mapped: an arena's descriptor comes once,
  /// and another thread's block may lie in the same arena.
  std::mutex memory_mutex;

  /// Guards `entries`. Taken before `mutex`, never after it.
  std::mutex entries_mutex;
  /// The one object of each entry in this process, for its locks are counted there.
  std::unordered_map<std::uint32_t, std::weak_ptr<Entry>> entries;

  /// Guards what follows.
  std::mutex mutex;
  /// Entry objects by index: two generations of one index may overlap for a moment.
  std::unordered_map<std::uint32_t, std::uint32_t> referenced;

  std::unordered_set<Entry*> objects;
  /// What a producer has decided on for its next write, while it has no object of the entry.
  struct Draft {
    std::uint64_t generation;
    std::optional<Shape> shape;
    std::optional<std::string> attributes;
  };
  std::unordered_map<std::uint32_t, Draft> drafts;
  bool has_left = false;  ///< the slot may be somebody else's by now: no bit may be set any more

  /// Sets the process's reference bit with the first reference to an entry.
  /// Throws: `Errc::closed` after `leave`.
  void refer(std::uint32_t index, Entry* object = nullptr);
  /// Clears it with the last one.
  void forget(std::uint32_t index, Entry* object = nullptr);
  void keep_draft(std::uint32_t index, Draft draft);
  /// The draft of that entry, if it is one of this generation.
  std::optional<Draft> take_draft(std::uint32_t index, std::uint64_t generation);
  /// The segments are gone: no entry keeps a cached block of them.
  void let_go(const std::unordered_set<std::uint64_t>& segments);
  /// Unmaps everything that no array and no open mapping needs.
  void unmap();
  bool has_references();
  /// Whether nothing is referred to; then nothing ever will be.
  bool leave();
};

}  // namespace clara_fastio
