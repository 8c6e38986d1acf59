// SPDX-License-Identifier: Apache-2.0
#include "posix/cgroup.hpp"
#include "posix/text_file.hpp"
#include "posix_testing.hpp"

namespace clara_fastio::posix {
namespace {

using testing::TemporaryDirectory;

constexpr std::uint64_t kMiB = 1 << 20;

// A machine of files: 8000 MiB free, and groups that a test adds.
class MemoryRoomTree : public ::testing::Test {
 protected:
  MemoryRoomTree() {
    machine_.write("proc/meminfo", "MemTotal: 9216000 kB\nMemAvailable: 8192000 kB\n");
  }

  void set_groups(const std::string& memberships, const std::string& mounts) {
    machine_.write("proc/self/cgroup", memberships);
    machine_.write("proc/self/mountinfo", mounts);
  }

  void add_v2(const std::string& group, const std::string& limit, std::uint64_t usage,
              std::uint64_t inactive_file) {
    const std::string directory = "sys/fs/cgroup" + group + "/";
    machine_.write(directory + "memory.max", limit + "\n");
    machine_.write(directory + "memory.current", std::to_string(usage) + "\n");
    machine_.write(directory + "memory.stat", "anon 5\nactive_file 77777\ninactive_file " +
                                                  std::to_string(inactive_file) + "\n");
  }

  void add_v1(const std::string& group, const std::string& limit, std::uint64_t usage,
              std::uint64_t inactive_file) {
    const std::string directory = "sys/fs/cgroup/memory" + group + "/";
    machine_.write(directory + "memory.limit_in_bytes", limit + "\n");
    machine_.write(directory + "memory.usage_in_bytes", std::to_string(usage) + "\n");
    machine_.write(directory + "memory.stat",
                   "inactive_file 1\ntotal_inactive_file " + std::to_string(inactive_file) + "\n");
  }

  void expect_room(std::uint64_t bytes, const std::string& level) const {
    const MemoryRoom room = memory_room(machine_.path());
    EXPECT_EQ(room.bytes, bytes);
    EXPECT_EQ(room.level, level);
  }

  TemporaryDirectory machine_;
};

const std::string kV2Mount = "31 23 0:28 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n";
const std::string kV1Mount =
    "30 23 0:27 / /sys/fs/cgroup ro - tmpfs tmpfs rw\n"
    "34 30 0:31 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
    "35 30 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n";

TEST_F(MemoryRoomTree, without_groups_is_what_the_machine_has) {
  expect_room(8192000 * 1024ULL, "MemAvailable");
}

TEST_F(MemoryRoomTree, of_v2_counts_reclaimable_cache_as_free) {
  set_groups("0::/job\n", kV2Mount);
  add_v2("/job", std::to_string(100 * kMiB), 90 * kMiB, 30 * kMiB);
  expect_room(40 * kMiB, "cgroup v2 /job memory.max");
}

TEST_F(MemoryRoomTree, of_v2_is_the_smallest_of_all_levels) {
  set_groups("0::/a/b/c\n", kV2Mount);
  add_v2("/a", std::to_string(100 * kMiB), 95 * kMiB, 0);
  add_v2("/a/b", "max", 50 * kMiB, 0);
  add_v2("/a/b/c", std::to_string(60 * kMiB), 50 * kMiB, 0);
  expect_room(5 * kMiB, "cgroup v2 /a memory.max");
}

TEST_F(MemoryRoomTree, of_v2_in_a_container_looks_at_the_mounted_root) {
  set_groups("0::/\n", kV2Mount);
  add_v2("", std::to_string(10 * kMiB), 4 * kMiB, 0);
  expect_room(6 * kMiB, "cgroup v2 / memory.max");
}

TEST_F(MemoryRoomTree, of_v1_is_the_smallest_of_all_levels) {
  set_groups("4:memory:/a/b\n3:cpu,cpuacct:/z\n0::/\n", kV1Mount);
  add_v1("", "9223372036854771712", 500 * kMiB, 0);
  add_v1("/a", std::to_string(100 * kMiB), 99 * kMiB, 20 * kMiB);
  add_v1("/a/b", std::to_string(50 * kMiB), 20 * kMiB, kMiB);
  expect_room(21 * kMiB, "cgroup v1 /a memory.limit_in_bytes");
}

TEST_F(MemoryRoomTree, of_v1_mounted_from_a_group_of_the_host_begins_there) {
  set_groups("4:memory:/docker/abc/x\n",
             "35 30 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n");
  add_v1("", std::to_string(30 * kMiB), 10 * kMiB, 0);
  add_v1("/x", std::to_string(90 * kMiB), 10 * kMiB, 0);
  expect_room(20 * kMiB, "cgroup v1 /docker/abc memory.limit_in_bytes");
}

TEST_F(MemoryRoomTree, looks_at_v1_and_v2_beside_each_other) {
  set_groups("4:memory:/job\n0::/job\n",
             kV1Mount + "41 30 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
  add_v1("/job", std::to_string(30 * kMiB), 10 * kMiB, 0);
  add_v2("/unified/job", std::to_string(30 * kMiB), 12 * kMiB, 0);
  expect_room(18 * kMiB, "cgroup v2 /job memory.max");
}

TEST_F(MemoryRoomTree, below_a_wide_limit_is_what_the_machine_has) {
  set_groups("0::/job\n", kV2Mount);
  add_v2("/job", std::to_string(9000 * kMiB), kMiB, 0);
  expect_room(8192000 * 1024ULL, "MemAvailable");
}

TEST_F(MemoryRoomTree, over_the_limit_is_zero) {
  set_groups("0::/job\n", kV2Mount);
  add_v2("/job", std::to_string(kMiB), 2 * kMiB, 0);
  expect_room(0, "cgroup v2 /job memory.max");
}

TEST_F(MemoryRoomTree, groups_out_of_sight_say_nothing) {
  set_groups("0::/../other\n4:memory:/elsewhere\n",
             kV2Mount + "35 30 0:32 /docker /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n");
  add_v2("", std::to_string(kMiB), 0, 0);
  add_v1("", std::to_string(kMiB), 0, 0);
  expect_room(8192000 * 1024ULL, "MemAvailable");
}

TEST_F(MemoryRoomTree, level_that_is_gone_leaves_the_levels_above) {
  set_groups("0::/a/gone (deleted)\n", kV2Mount);
  add_v2("/a", std::to_string(9 * kMiB), kMiB, 0);
  expect_room(8 * kMiB, "cgroup v2 /a memory.max");
}

TEST_F(MemoryRoomTree, mount_point_with_a_blank_is_found) {
  set_groups("0::/\n", "31 23 0:28 / /my\\040groups rw - cgroup2 cgroup2 rw\n");
  machine_.write("my groups/memory.max", "4096\n");
  machine_.write("my groups/memory.current", "96\n");
  expect_room(4000, "cgroup v2 / memory.max");
}

TEST(MemoryRoom, without_any_file_has_no_limit) {
  const TemporaryDirectory empty;
  EXPECT_EQ(memory_room(empty.path()).bytes, UINT64_MAX);
  EXPECT_EQ(memory_room(empty.path()).level, "no limit known");
}

TEST(MemoryRoom, of_this_process_is_less_than_the_machine_has) {
  const auto information = read_text_file("/proc/meminfo");
  ASSERT_TRUE(information);
  const MemoryRoom room = memory_room();
  EXPECT_GT(room.bytes, 0U);
  EXPECT_LT(room.bytes, parse_field(*information, "MemTotal:"));
}

TEST(Cgroup, memberships_are_v2_and_the_memory_controller) {
  const auto found =
      parse_memberships("12:hugetlb,memory:/a:b\n5:memoryx:/no\n0::/c\nrubbish\n1:\n");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_FALSE(found[0].is_v2);
  EXPECT_EQ(found[0].path, "/a:b");
  EXPECT_TRUE(found[1].is_v2);
  EXPECT_EQ(found[1].path, "/c");
}

TEST(Cgroup, mounts_are_found_behind_optional_fields) {
  const auto found = parse_mounts(
      "1 2 0:1 /r /p rw shared:1 master:2 - cgroup2 none rw\n"
      "1 2 0:1 / /cpu rw - cgroup cgroup rw,cpu\n"
      "1 2 0:1 / /mem rw - cgroup cgroup rw,hugetlb,memory\n"
      "1 2 0:1 / /x rw - tmpfs memory rw,memory\n"
      "short line\n\n");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_TRUE(found[0].is_v2);
  EXPECT_EQ(found[0].root, "/r");
  EXPECT_EQ(found[0].point, "/p");
  EXPECT_EQ(found[1].point, "/mem");
}

TEST(Cgroup, fields_are_found_by_their_whole_key) {
  EXPECT_EQ(parse_field("inactive_file_x 1\ninactive_file 22\n", "inactive_file"), 22U);
  EXPECT_EQ(parse_field("MemAvailable:   3 kB\n", "MemAvailable:"), 3072U);
  EXPECT_EQ(parse_field("a b\n", "a"), std::nullopt);
  EXPECT_EQ(parse_field("a\n", "a"), std::nullopt);
  EXPECT_EQ(parse_field("", "a"), std::nullopt);
}

TEST(Cgroup, limits_that_are_none_are_none) {
  EXPECT_EQ(parse_limit("4096\n"), 4096U);
  EXPECT_EQ(parse_limit("0\n"), 0U);
  EXPECT_EQ(parse_limit("max\n"), std::nullopt);
  EXPECT_EQ(parse_limit("9223372036854771712\n"), std::nullopt);
  EXPECT_EQ(parse_limit("9223372036854710272\n"), std::nullopt);
  EXPECT_EQ(parse_limit("99999999999999999999999\n"), std::nullopt);
  EXPECT_EQ(parse_limit("12 rubbish"), 12U);
  EXPECT_EQ(parse_limit(""), std::nullopt);
}

TEST(Cgroup, room_never_wraps) {
  EXPECT_EQ(room_below(100, 60, 10), 50U);
  EXPECT_EQ(room_below(100, 60, 70), 100U);
  EXPECT_EQ(room_below(100, 160, 10), 0U);
  EXPECT_EQ(room_below(UINT64_MAX >> 2, UINT64_MAX, 0), 0U);
}

}  // namespace
}  // namespace clara_fastio::posix
