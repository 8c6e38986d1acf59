// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <array>

#include "posix/memfd.hpp"
#include "posix/pidfd.hpp"
#include "posix_testing.hpp"

namespace clara_fastio::posix {
namespace {

pid_t start_sleeper() {
  std::string program = "sleep";
  std::string seconds = "1000";
  std::array<char*, 3> arguments{program.data(), seconds.data(), nullptr};
  pid_t child = -1;
  if (::posix_spawnp(&child, "sleep", nullptr, nullptr, arguments.data(), environ) != 0) return -1;
  return child;
}

TEST(Pidfd, knows_its_process_and_is_closed_on_exec) {
  const UniqueFd fd = open_pidfd(::getpid());
  EXPECT_EQ(pid_of_pidfd(fd.get()), ::getpid());
  EXPECT_EQ(::fcntl(fd.get(), F_GETFD), FD_CLOEXEC);
  EXPECT_FALSE(has_exited(fd.get()));
}

TEST(Pidfd, tells_the_end_of_a_process_before_and_after_it_is_reaped) {
  const pid_t child = start_sleeper();
  ASSERT_GT(child, 0);
  const UniqueFd fd = open_pidfd(child);
  EXPECT_FALSE(has_exited(fd.get()));
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  pollfd watched{fd.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&watched, 1, -1), 1);
  EXPECT_TRUE(has_exited(fd.get()));
  EXPECT_EQ(pid_of_pidfd(fd.get()), child);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(has_exited(fd.get()));
  EXPECT_EQ(pid_of_pidfd(fd.get()), -1);
}

TEST(Pidfd, of_a_process_that_is_gone_is_not_found) {
  const pid_t child = start_sleeper();
  ASSERT_GT(child, 0);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_ERROR(open_pidfd(child), Errc::not_found, ESRCH);
}

TEST(Pidfd, of_no_process_number_is_an_error) {
  EXPECT_ERROR(open_pidfd(-5), Errc::system, EINVAL);
}

TEST(Pidfd, other_descriptors_are_of_no_process) {
  EXPECT_EQ(pid_of_pidfd(create_memfd("clara-fastio:test:pidfd").get()), -1);
  EXPECT_EQ(pid_of_pidfd(-1), -1);
  EXPECT_FALSE(has_exited(-1));
}

TEST(Pidfd, reads_only_a_whole_number_behind_its_key) {
  EXPECT_EQ(parse_fdinfo_pid("pos:\t0\nflags:\t02000002\nPid:\t123\nNSpid:\t123\t7\n"), 123);
  EXPECT_EQ(parse_fdinfo_pid("NSpid:\t9\nPid:\t-1\n"), -1);
  EXPECT_EQ(parse_fdinfo_pid("Pid:\t0\n"), 0);
  EXPECT_EQ(parse_fdinfo_pid("Pid:\t12x\n"), -1);
  EXPECT_EQ(parse_fdinfo_pid("Pid:\t99999999999\n"), -1);
  EXPECT_EQ(parse_fdinfo_pid("Pid:"), -1);
  EXPECT_EQ(parse_fdinfo_pid("NSpid:\t5\n"), -1);
  EXPECT_EQ(parse_fdinfo_pid(""), -1);
}

}  // namespace
}  // namespace clara_fastio::posix
