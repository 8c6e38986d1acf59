// SPDX-License-Identifier: Apache-2.0
#include "posix/fork_guard.hpp"
#include "posix_testing.hpp"

namespace clara_fastio::posix {
namespace {

using testing::run_in_fork;

TEST(ForkGuard, generation_stays_in_a_process_and_changes_in_its_child) {
  const std::uint64_t mine = fork_generation();
  EXPECT_EQ(run_in_fork([&] { return fork_generation() == mine ? 1 : 0; }), 0);
  EXPECT_EQ(fork_generation(), mine);
}

TEST(ForkGuard, grandchild_differs_from_both) {
  const std::uint64_t mine = fork_generation();
  const int status = run_in_fork([&] {
    const std::uint64_t child = fork_generation();
    return run_in_fork([&] {
      const std::uint64_t grandchild = fork_generation();
      return grandchild == mine || grandchild == child ? 1 : 0;
    });
  });
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace clara_fastio::posix
