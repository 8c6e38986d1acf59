// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "posix/unique_fd.hpp"

namespace clara_fastio::posix {
namespace {

int open_null() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

TEST(UniqueFd, default_owns_nothing) {
  const UniqueFd fd;
  EXPECT_FALSE(fd);
  EXPECT_LT(fd.get(), 0);
}

TEST(UniqueFd, closes_when_it_dies) {
  const int number = open_null();
  {
    const UniqueFd fd(number);
    EXPECT_TRUE(fd);
    EXPECT_TRUE(is_open(number));
  }
  EXPECT_FALSE(is_open(number));
}

TEST(UniqueFd, release_leaves_the_descriptor_open) {
  UniqueFd fd(open_null());
  const int number = fd.release();
  fd.reset();
  EXPECT_TRUE(is_open(number));
  ::close(number);
}

TEST(UniqueFd, move_assignment_closes_what_was_owned) {
  const int first = open_null();
  const int second = open_null();
  UniqueFd fd(first);
  UniqueFd other(second);
  fd = std::move(other);
  EXPECT_FALSE(is_open(first));
  EXPECT_EQ(fd.get(), second);
  EXPECT_TRUE(is_open(second));
}

TEST(UniqueFd, move_to_itself_keeps_the_descriptor) {
  UniqueFd fd(open_null());
  const int number = fd.get();
  UniqueFd& same = fd;
  fd = std::move(same);
  EXPECT_EQ(fd.get(), number);
  EXPECT_TRUE(is_open(number));
}

TEST(UniqueFd, reset_to_its_own_descriptor_keeps_it_open) {
  UniqueFd fd(open_null());
  fd.reset(fd.get());
  EXPECT_TRUE(is_open(fd.get()));
}

TEST(UniqueFd, reset_keeps_errno) {
  UniqueFd fd(1 << 20);  // Closing it fails with EBADF.
  errno = ENOSPC;
  fd.reset();
  EXPECT_EQ(errno, ENOSPC);
}

}  // namespace
}  // namespace clara_fastio::posix
