// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <thread>

#include "posix/directory.hpp"
#include "posix_testing.hpp"

namespace clara_fastio::posix {
namespace {

using testing::TemporaryDirectory;

class Directory : public ::testing::Test {
 protected:
  TemporaryDirectory temporary_;
  std::string path_ = temporary_.path() + "/private";
};

TEST_F(Directory, is_made_private_and_opened_again) {
  const UniqueFd made = open_private_directory(path_);
  struct stat status{};
  ASSERT_EQ(::fstat(made.get(), &status), 0);
  EXPECT_TRUE(S_ISDIR(status.st_mode));
  EXPECT_EQ(status.st_mode & 07777U, 0700U);
  EXPECT_EQ(::fcntl(made.get(), F_GETFD), FD_CLOEXEC);
  EXPECT_TRUE(open_private_directory(path_));
}

TEST_F(Directory, open_to_others_is_refused_with_advice) {
  ASSERT_EQ(::mkdir(path_.c_str(), 0700), 0);
  for (const mode_t mode : {0710U, 0701U, 0777U}) {
    ASSERT_EQ(::chmod(path_.c_str(), mode), 0);
    EXPECT_ERROR(open_private_directory(path_), Errc::invalid_argument, 0);
  }
  try {
    open_private_directory(path_);
  } catch (const Error& error) {
    EXPECT_EQ(error.what(), path_ + ": is open to other users; run 'chmod 700 " + path_ +
                                "' or name another directory");
  }
}

TEST_F(Directory, of_another_user_is_refused) {
  const std::string foreign = ::geteuid() == 0 ? path_ : "/root";
  if (::geteuid() == 0) {
    ASSERT_EQ(::mkdir(path_.c_str(), 0700), 0);
    ASSERT_EQ(::chown(path_.c_str(), 12345, 12345), 0);
    EXPECT_ERROR(open_private_directory(foreign), Errc::invalid_argument, 0);
  } else {
    EXPECT_ERROR(open_private_directory(foreign), Errc::system, EACCES);
  }
}

TEST_F(Directory, symbolic_link_is_refused) {
  ASSERT_EQ(::mkdir(path_.c_str(), 0700), 0);
  const std::string link = temporary_.path() + "/link";
  ASSERT_EQ(::symlink(path_.c_str(), link.c_str()), 0);
  EXPECT_ERROR(open_private_directory(link), Errc::invalid_argument, 0);
}

TEST_F(Directory, plain_file_is_refused) {
  temporary_.write("private", "");
  EXPECT_ERROR(open_private_directory(path_), Errc::invalid_argument, 0);
}

TEST_F(Directory, without_a_parent_is_a_system_error) {
  EXPECT_ERROR(open_private_directory(path_ + "/deeper"), Errc::system, ENOENT);
}

TEST_F(Directory, lock_has_one_holder_and_ends_with_its_descriptor) {
  const UniqueFd directory = open_private_directory(path_);
  auto first = try_lock_file(directory.get(), "host.lock");
  ASSERT_TRUE(first);
  EXPECT_EQ(::fcntl(first->get(), F_GETFD), FD_CLOEXEC);
  EXPECT_FALSE(try_lock_file(directory.get(), "host.lock"));
  EXPECT_TRUE(try_lock_file(directory.get(), "other.lock"));
  first.reset();
  EXPECT_TRUE(try_lock_file(directory.get(), "host.lock"));
}

TEST_F(Directory, lock_is_taken_on_the_file_that_has_the_name_now) {
  const UniqueFd directory = open_private_directory(path_);
  const auto stale = try_lock_file(directory.get(), "host.lock");
  ASSERT_TRUE(stale);
  ASSERT_EQ(::unlinkat(directory.get(), "host.lock", 0), 0);
  EXPECT_TRUE(try_lock_file(directory.get(), "host.lock"));
}

TEST_F(Directory, lock_has_one_holder_while_holders_remove_the_file) {
  const UniqueFd directory = open_private_directory(path_);
  std::atomic<int> holders{0};
  std::atomic<int> most{0};
  std::atomic<int> rounds{300};
  const auto compete = [&] {
    while (rounds > 0) {
      const auto lock = try_lock_file(directory.get(), "host.lock");
      if (!lock) continue;
      const int now = ++holders;
      if (now > most) most = now;
      --rounds;
      std::this_thread::yield();
      --holders;
      ::unlinkat(directory.get(), "host.lock", 0);
    }
  };
  std::array<std::thread, 3> threads;
  for (std::thread& thread : threads) thread = std::thread(compete);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(most, 1);
}

TEST_F(Directory, lock_does_not_follow_a_link) {
  const UniqueFd directory = open_private_directory(path_);
  ASSERT_EQ(::symlinkat("/dev/null", directory.get(), "host.lock"), 0);
  EXPECT_ERROR(try_lock_file(directory.get(), "host.lock"), Errc::system, ELOOP);
}

}  // namespace
}  // namespace clara_fastio::posix
