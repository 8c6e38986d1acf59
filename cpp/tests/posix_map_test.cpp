// SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>

#include <fstream>
#include <sstream>
#include <utility>

#include "posix/map.hpp"
#include "posix/memfd.hpp"
#include "posix_testing.hpp"

namespace clara_fastio::posix {
namespace {

using testing::run_in_fork;

constexpr std::uint64_t kSize = 128 * 1024;

UniqueFd make_file() {
  UniqueFd fd = create_memfd("clara-fastio:test:map");
  set_size(fd.get(), kSize);
  reserve(fd.get(), 0, kSize);
  return fd;
}

bool is_mapped(const std::byte* address) {
  unsigned char resident = 0;
  return ::mincore(const_cast<std::byte*>(address), 4096, &resident) == 0;
}

// The flags that the kernel keeps for the range at `address`, two letters each.
std::string kernel_flags(const std::byte* address) {
  std::ostringstream start;
  start << std::hex << reinterpret_cast<std::uintptr_t>(address) << "-";
  std::ifstream smaps("/proc/self/smaps");
  bool is_range = false;
  for (std::string line; std::getline(smaps, line);) {
    if (line.starts_with(start.str())) is_range = true;
    if (is_range && line.starts_with("VmFlags:")) return line;
  }
  return "";
}

TEST(Map, two_maps_of_a_file_show_the_same_bytes) {
  const UniqueFd fd = make_file();
  const Map writer = Map::of(fd.get(), 0, kSize, Access::read_write);
  const Map reader = Map::of(fd.get(), 65536, kSize - 65536, Access::read_only);
  writer.data()[65536 + 5] = std::byte{9};
  EXPECT_EQ(reader.data()[5], std::byte{9});
  EXPECT_EQ(reader.size(), kSize - 65536);
}

TEST(Map, outlives_its_descriptor) {
  UniqueFd fd = make_file();
  const Map map = Map::of(fd.get(), 0, kSize, Access::read_write);
  fd.reset();
  map.data()[kSize - 1] = std::byte{1};
  EXPECT_EQ(map.data()[kSize - 1], std::byte{1});
}

TEST(Map, of_no_bytes_is_legal_and_empty) {
  const UniqueFd fd = make_file();
  Map map = Map::of(fd.get(), 0, 0, Access::read_only);
  map.freeze(fd.get());
  EXPECT_EQ(map.data(), nullptr);
  EXPECT_EQ(map.size(), 0U);
}

TEST(Map, larger_than_the_address_space_is_out_of_memory) {
  const UniqueFd fd = make_file();
  EXPECT_ERROR(Map::of(fd.get(), 0, std::uint64_t{1} << 56, Access::read_only), Errc::out_of_memory,
               ENOMEM);
}

TEST(Map, unmaps_when_it_dies_or_is_assigned_to) {
  const UniqueFd fd = make_file();
  Map first = Map::of(fd.get(), 0, kSize, Access::read_only);
  const std::byte* const old = first.data();
  Map second = Map::of(fd.get(), 0, kSize, Access::read_only);
  const std::byte* const kept = second.data();
  first = std::move(second);
  EXPECT_FALSE(is_mapped(old));
  EXPECT_EQ(first.data(), kept);
  EXPECT_TRUE(is_mapped(kept));
  first.reset();
  first.reset();
  EXPECT_FALSE(is_mapped(kept));
}

TEST(Map, populate_enters_every_page) {
  const UniqueFd fd = make_file();
  const Map map = Map::of(fd.get(), 0, kSize, Access::read_only, true);
  std::ifstream smaps("/proc/self/smaps");
  std::ostringstream start;
  start << std::hex << reinterpret_cast<std::uintptr_t>(map.data()) << "-";
  bool is_range = false;
  std::string resident;
  for (std::string line; resident.empty() && std::getline(smaps, line);) {
    if (line.starts_with(start.str())) is_range = true;
    if (is_range && line.starts_with("Rss:")) resident = line;
  }
  EXPECT_NE(resident.find(" 128 kB"), std::string::npos) << resident;
}

TEST(Map, stays_out_of_core_dumps_also_when_frozen) {
  const UniqueFd fd = make_file();
  Map map = Map::of(fd.get(), 0, kSize, Access::read_write);
  EXPECT_NE(kernel_flags(map.data()).find(" dd"), std::string::npos);
  map.freeze(reopen_read_only(fd.get()).get());
  EXPECT_NE(kernel_flags(map.data()).find(" dd"), std::string::npos);
}

TEST(Map, freeze_that_fails_says_so) {
  const UniqueFd fd = make_file();
  Map map = Map::of(fd.get(), 0, kSize, Access::read_write);
  EXPECT_ERROR(map.freeze(-1), Errc::system, EBADF);
  map.data()[0] = std::byte{1};
}

TEST(Map, is_inherited_by_a_forked_child) {
  const UniqueFd fd = make_file();
  const Map map = Map::of(fd.get(), 0, kSize, Access::read_write);
  EXPECT_EQ(run_in_fork([&] {
              map.data()[3] = std::byte{77};
              return 0;
            }),
            0);
  EXPECT_EQ(map.data()[3], std::byte{77});
}

TEST(Map, kept_from_forks_is_not_in_the_child_also_when_frozen) {
  const UniqueFd fd = make_file();
  Map map = Map::of(fd.get(), 0, kSize, Access::read_write, false, false);
  EXPECT_EQ(run_in_fork([&] { return is_mapped(map.data()) ? 1 : 0; }), 0);
  map.freeze(reopen_read_only(fd.get()).get());
  EXPECT_EQ(run_in_fork([&] { return is_mapped(map.data()) ? 1 : 0; }), 0);
  EXPECT_TRUE(is_mapped(map.data()));
}

TEST(Map, kept_from_forks_unmaps_nothing_in_the_child) {
  const UniqueFd fd = make_file();
  Map map = Map::of(fd.get(), 0, kSize, Access::read_write, false, false);
  const int status = run_in_fork([&] {
    // Something of the child's own comes to lie where the range was in the parent.
    void* const own = ::mmap(map.data(), kSize, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (own == MAP_FAILED) return 1;
    const auto* const address = static_cast<std::byte*>(own);
    map.reset();
    return is_mapped(address) ? 0 : 2;
  });
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace clara_fastio::posix
