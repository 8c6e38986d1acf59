// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dirent.h>
#include <gtest/gtest.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <string>

#include "clara_fastio/error.hpp"

namespace clara_fastio::posix::testing {

/// The statement must throw an Error with this code and this errno.
#define EXPECT_ERROR(statement, errc, number)        \
  do {                                               \
    try {                                            \
      static_cast<void>(statement);                  \
      ADD_FAILURE() << #statement " did not throw";  \
    } catch (const ::clara_fastio::Error& error) {   \
      EXPECT_EQ(error.code(), errc) << error.what(); \
      EXPECT_EQ(error.os_error(), number);           \
    }                                                \
  } while (false)

/// A system call must fail with this errno.
#define EXPECT_REFUSED(call, number)           \
  do {                                         \
    errno = 0;                                 \
    EXPECT_LT((call), 0) << #call " succeeds"; \
    EXPECT_EQ(errno, number) << #call;         \
  } while (false)

/// A name that no other test or run uses.
inline std::string random_name() {
  std::random_device source;
  return "clara-fastio-test/" + std::to_string(source()) + "-" + std::to_string(source());
}

/// A fresh directory under the temporary one; gone with this object.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "fastio-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = pattern;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }

  [[nodiscard]] std::string path() const { return path_.string(); }

  /// Writes a file and the directories above it.
  void write(const std::string& name, const std::string& text) const {
    const std::filesystem::path file = path() + "/" + name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }

 private:
  std::filesystem::path path_;
};

/// How many descriptors this process has.
inline std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* const directory = ::opendir("/proc/self/fd");
  while (::readdir(directory) != nullptr) ++count;
  ::closedir(directory);
  return count;
}

/// Exit status of `body` in a forked child; -1 when a signal ended it. For tests about forks only.
inline int run_in_fork(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace clara_fastio::posix::testing
