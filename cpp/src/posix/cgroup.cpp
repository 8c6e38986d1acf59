// SPDX-License-Identifier: Apache-2.0
#include "posix/cgroup.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

#include "posix/text_file.hpp"

namespace clara_fastio::posix {
namespace {

constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

// v1 writes the largest page count times the page size when there is no limit.
constexpr std::uint64_t kHuge = std::uint64_t{1} << 62;

struct Names {
  const char* version;
  const char* limit;
  const char* usage;
  const char* inactive_file;
};

constexpr Names kV1{"cgroup v1 ", "memory.limit_in_bytes", "memory.usage_in_bytes",
                    "total_inactive_file"};
constexpr Names kV2{"cgroup v2 ", "memory.max", "memory.current", "inactive_file"};

std::optional<std::uint64_t> parse_number(std::string_view word) {
  std::uint64_t number = 0;
  const char* const end = word.data() + word.size();
  const auto [stop, error] = std::from_chars(word.data(), end, number);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return number;
}

std::string_view first_word(std::string_view text) {
  std::string_view line = take_line(text);
  return take_word(line);
}

// mountinfo writes blanks, tabs, newlines and backslashes of a path as \ooo.
std::string unescape(std::string_view text) {
  std::string plain;
  while (!text.empty()) {
    unsigned code = 0;
    if (text.size() >= 4 && text[0] == '\\' &&
        std::from_chars(text.data() + 1, text.data() + 4, code, 8).ptr == text.data() + 4) {
      plain += static_cast<char>(code);
      text.remove_prefix(4);
    } else {
      plain += text.front();
      text.remove_prefix(1);
    }
  }
  return plain;
}

bool has_item(std::string_view list, std::string_view item) {
  while (!list.empty()) {
    const std::string_view head = list.substr(0, list.find(','));
    if (head == item) return true;
    list.remove_prefix(std::min(head.size() + 1, list.size()));
  }
  return false;
}

std::optional<CgroupMount> parse_mount(std::string_view line) {
  // 36 35 98:0 /root /point options [optional fields] - type source super-options
  for (int i = 0; i < 3; ++i) take_word(line);
  const std::string_view root = take_word(line);
  const std::string_view point = take_word(line);
  std::string_view word;
  do {
    word = take_word(line);
  } while (!word.empty() && word != "-");
  const std::string_view type = take_word(line);
  take_word(line);
  const bool is_v2 = type == "cgroup2";
  if (!is_v2 && !(type == "cgroup" && has_item(take_word(line), "memory"))) return std::nullopt;
  return CgroupMount{is_v2, unescape(root), unescape(point)};
}

void keep_smaller(MemoryRoom& room, MemoryRoom other) {
  if (other.bytes < room.bytes) room = std::move(other);
}

std::optional<std::uint64_t> room_of_level(const std::string& directory, const Names& names) {
  const auto limit_text = read_text_file(directory + "/" + names.limit);
  const auto limit = limit_text ? parse_limit(*limit_text) : std::nullopt;
  if (!limit) return std::nullopt;
  const auto usage_text = read_text_file(directory + "/" + names.usage);
  const auto usage = usage_text ? parse_number(first_word(*usage_text)) : std::nullopt;
  if (!usage) return std::nullopt;
  const auto statistics = read_text_file(directory + "/memory.stat");
  const auto inactive = statistics ? parse_field(*statistics, names.inactive_file) : std::nullopt;
  return room_below(*limit, *usage, inactive.value_or(0));
}

// Groups beside the mounted one, or above a namespace, cannot be seen from here.
bool is_visible(const std::string& path, const std::string& root) {
  if (path.starts_with("/..")) return false;
  return root == "/" || path == root || path.starts_with(root + "/");
}

void look_upwards(const std::string& prefix, const CgroupMount& mount, const std::string& path,
                  MemoryRoom& room) {
  const Names& names = mount.is_v2 ? kV2 : kV1;
  const std::size_t top = mount.root == "/" ? 0 : mount.root.size();
  for (std::string group = path == "/" ? "" : path; group.size() >= top;) {
    const auto bytes = room_of_level(prefix + mount.point + group.substr(top), names);
    const std::string shown = group.empty() ? "/" : group;
    if (bytes) keep_smaller(room, {*bytes, names.version + shown + " " + names.limit});
    if (group.empty()) return;
    group.resize(group.rfind('/'));
  }
}

}  // namespace

MemoryRoom memory_room(const std::string& root) {
  MemoryRoom room{kNoLimit, "no limit known"};
  const auto information = read_text_file(root + "/proc/meminfo");
  const auto available = information ? parse_field(*information, "MemAvailable:") : std::nullopt;
  if (available) room = {*available, "MemAvailable"};
  const auto memberships = read_text_file(root + "/proc/self/cgroup");
  const auto mounts = read_text_file(root + "/proc/self/mountinfo");
  if (!memberships || !mounts) return room;
  const std::vector<CgroupMount> visible = parse_mounts(*mounts);
  for (const CgroupMembership& membership : parse_memberships(*memberships)) {
    for (const CgroupMount& mount : visible) {
      if (mount.is_v2 != membership.is_v2 || !is_visible(membership.path, mount.root)) continue;
      look_upwards(root, mount, membership.path, room);
    }
  }
  return room;
}

std::vector<CgroupMembership> parse_memberships(std::string_view text) {
  std::vector<CgroupMembership> found;
  while (!text.empty()) {
    // hierarchy:controllers:path, where v2 is "0::path".
    std::string_view line = take_line(text);
    const std::size_t first = line.find(':');
    const std::size_t second = first == line.npos ? line.npos : line.find(':', first + 1);
    if (second == line.npos || line.substr(second + 1, 1) != "/") continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const bool is_v2 = line.substr(0, first) == "0" && controllers.empty();
    if (!is_v2 && !has_item(controllers, "memory")) continue;
    found.push_back({is_v2, std::string(line.substr(second + 1))});
  }
  return found;
}

std::vector<CgroupMount> parse_mounts(std::string_view text) {
  std::vector<CgroupMount> found;
  while (!text.empty()) {
    if (auto mount = parse_mount(take_line(text))) found.push_back(*std::move(mount));
  }
  return found;
}

std::optional<std::uint64_t> parse_field(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    std::string_view line = take_line(text);
    if (take_word(line) != key) continue;
    const auto number = parse_number(take_word(line));
    if (!number) return std::nullopt;
    return take_word(line) == "kB" ? *number * 1024 : *number;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> parse_limit(std::string_view text) {
  const auto number = parse_number(first_word(text));
  return number && *number < kHuge ? number : std::nullopt;
}

std::uint64_t room_below(std::uint64_t limit, std::uint64_t usage,
                         std::uint64_t inactive_file) noexcept {
  const std::uint64_t held = usage - std::min(usage, inactive_file);
  return limit - std::min(limit, held);
}

}  // namespace clara_fastio::posix
