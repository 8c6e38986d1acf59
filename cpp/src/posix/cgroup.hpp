// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace clara_fastio::posix {

/// How much memory may still be taken, and which limit says so.
struct MemoryRoom {
  std::uint64_t bytes;
  /// For people: "cgroup v2 /a/b memory.max", "cgroup v1 /a memory.limit_in_bytes", "MemAvailable".
  std::string level;
};

/// The smallest room that any limit on this process leaves.
///
/// Looks at every level of the process's memory cgroup (v1 and v2, as far as they are mounted here)
/// and at MemAvailable. File cache that the kernel would drop first (inactive_file) is not usage.
/// `root` stands before every path that is read; tests put a tree of their own there.
///
/// Never throws for files that are missing or odd: such a level says nothing. When no level says
/// anything, `bytes` is the largest number and `level` is "no limit known".
MemoryRoom memory_room(const std::string& root = "");

/// One line of /proc/self/cgroup.
struct CgroupMembership {
  bool is_v2;
  /// As the process sees it, beginning with "/".
  std::string path;
};

/// The v2 group and the v1 group of the memory controller, from the text of /proc/self/cgroup.
std::vector<CgroupMembership> parse_memberships(std::string_view text);

/// One mounted hierarchy that has the memory controller, or is v2.
struct CgroupMount {
  bool is_v2;
  /// The group that is visible at `point`.
  std::string root;
  /// Where it is mounted.
  std::string point;
};

/// The mounts that matter for memory, from the text of /proc/self/mountinfo.
std::vector<CgroupMount> parse_mounts(std::string_view text);

/// The number behind `key` in lines like "key 12" or "key:   12 kB"; a kB is 1024 bytes.
std::optional<std::uint64_t> parse_field(std::string_view text, std::string_view key);

/// A limit in bytes; nothing for "max", for the huge number that is none in v1, and for rubbish.
std::optional<std::uint64_t> parse_limit(std::string_view text);

/// `limit` less usage, in which reclaimable file cache does not count; zero when over the limit.
std::uint64_t room_below(std::uint64_t limit, std::uint64_t usage,
                         std::uint64_t inactive_file) noexcept;

}  // namespace clara_fastio::posix
