// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <string>

#include "posix/huge_pages.hpp"
#include "posix/memfd.hpp"

namespace clara_fastio::posix {
namespace {

constexpr std::uint64_t kSize = 8 * kHugePage;

/// Kilobytes of this process's shared memory that huge pages map.
long huge_kilobytes() {
  std::ifstream smaps("/proc/self/smaps");
  long sum = 0;
  for (std::string line; std::getline(smaps, line);) {
    if (line.starts_with("ShmemPmdMapped:")) sum += std::stol(line.substr(15));
  }
  return sum;
}

TEST(HugePages, ATellingSettingIsRead) {
  EXPECT_TRUE(is_chosen("always within_size [advise] never deny force\n", "advise"));
  EXPECT_FALSE(is_chosen("always within_size advise [never] deny force\n", "advise"));
  EXPECT_FALSE(is_chosen("", "advise"));
  EXPECT_FALSE(is_chosen("]advise[", "advise"));
}

TEST(HugePages, ARequestNeverChangesTheContent) {
  const UniqueFd fd = create_memfd("clara-fastio:test:huge");
  set_size(fd.get(), kSize);
  reserve(fd.get(), 0, kSize);
  Map map = Map::of(fd.get(), 0, kSize, Access::read_write);
  std::memset(map.data(), 7, kSize);
  request_huge_pages(fd.get(), 0, kSize);
  for (std::uint64_t i = 0; i < kSize; i += 4096) ASSERT_EQ(map.data()[i], std::byte{7});
}

TEST(HugePages, AreThereWhereTheKernelGivesThemOnRequest) {
  const UniqueFd fd = create_memfd("clara-fastio:test:huge");
  set_size(fd.get(), kSize);
  const bool are_given = gives_huge_pages_on_request();
  if (are_given) request_huge_pages(fd.get(), 0, kSize);
  reserve(fd.get(), 0, kSize);
  const long before = huge_kilobytes();
  Map map = Map::of(fd.get(), 0, kSize, Access::read_write, /*populate=*/true);
  // A machine may have run out of them; where they are not given, there must be none.
  EXPECT_GE(huge_kilobytes(), before);
  if (!are_given) return;
  EXPECT_GT(huge_kilobytes(), before) << "the kernel says that it gives huge pages, and gave none";
}

}  // namespace
}  // namespace clara_fastio::posix
