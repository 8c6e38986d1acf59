// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace fake_cuda::testing {

/// Messages between a test and a process that it started.
class Channel {
 public:
  explicit Channel(int fd) : fd_(fd) {}

  template <class Message>
  void send(const Message& message) const {
    static_assert(std::is_trivially_copyable_v<Message>);
    require(::send(fd_, &message, sizeof message, MSG_NOSIGNAL) == sizeof message);
  }

  template <class Message>
  [[nodiscard]] Message receive() const {
    static_assert(std::is_trivially_copyable_v<Message>);
    Message message{};
    require(::recv(fd_, &message, sizeof message, 0) == sizeof message);
    return message;
  }

  void send_descriptor(int descriptor) const {
    Parcel parcel;
    cmsghdr* const rights = CMSG_FIRSTHDR(&parcel.header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof descriptor);
    std::memcpy(CMSG_DATA(rights), &descriptor, sizeof descriptor);
    require(::sendmsg(fd_, &parcel.header, MSG_NOSIGNAL) == 1);
  }

  [[nodiscard]] int receive_descriptor() const {
    Parcel parcel;
    require(::recvmsg(fd_, &parcel.header, MSG_CMSG_CLOEXEC) == 1);
    const cmsghdr* const rights = CMSG_FIRSTHDR(&parcel.header);
    require(rights != nullptr && rights->cmsg_type == SCM_RIGHTS);
    int descriptor = -1;
    std::memcpy(&descriptor, CMSG_DATA(rights), sizeof descriptor);
    return descriptor;
  }

 private:
  /// One byte and one descriptor.
  struct Parcel {
    char byte = 0;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    iovec part{&byte, 1};
    msghdr header{nullptr, 0, &part, 1, control, sizeof control, 0};

    Parcel() = default;
    Parcel(const Parcel&) = delete;
    Parcel& operator=(const Parcel&) = delete;
  };

  static void require(bool is_true) {
    if (!is_true) throw std::runtime_error("the other process ended");
  }

  int fd_;
};

using Role = void (*)(const Channel&);

inline std::map<std::string, Role>& roles() {
  static std::map<std::string, Role> all;
  return all;
}

/// Defines what a process does that a test starts; expectations work in it.
#define ROLE(name)                                                                        \
  void name(const ::fake_cuda::testing::Channel& channel);                                \
  const bool name##_is_known = ::fake_cuda::testing::roles().emplace(#name, name).second; \
  void name([[maybe_unused]] const ::fake_cuda::testing::Channel& channel)

constexpr int kChannel = 3;  ///< The descriptor in the started process.

/// `main` of a test program that is also the processes that it starts.
inline int run_tests_or_role(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  if (argc != 3 || std::strcmp(argv[1], "--role") != 0) return RUN_ALL_TESTS();
  roles().at(argv[2])(Channel(kChannel));
  return ::testing::UnitTest::GetInstance()->Failed() ? 1 : 0;
}

/// Another process: this program again, by exec, in a role. Killed when this object goes.
class Peer {
 public:
  explicit Peer(const std::string& role, const std::vector<std::string>& environment = {}) {
    int ends[2] = {};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
      throw std::runtime_error("socketpair");
    }
    start(role, environment, ends[1]);
    ::close(ends[1]);
    end_ = ends[0];
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() {
    if (is_running_) kill();
    ::close(end_);
  }

  [[nodiscard]] Channel channel() const { return Channel(end_); }

  /// Exit status; 128 and more when a signal ended it.
  int wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    is_running_ = false;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  void kill() {
    ::kill(pid_, SIGKILL);
    wait();
  }

 private:
  void start(std::string role, const std::vector<std::string>& environment, int end) {
    std::string program = "/proc/self/exe";
    std::string option = "--role";
    char* arguments[] = {program.data(), option.data(), role.data(), nullptr};
    std::vector<std::string> texts = environment;  // First, because the first of a name counts.
    for (char** one = environ; *one != nullptr; ++one) texts.emplace_back(*one);
    std::vector<char*> pointers;
    for (std::string& text : texts) pointers.push_back(text.data());
    pointers.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, end, kChannel);
    const int error =
        ::posix_spawn(&pid_, program.c_str(), &actions, nullptr, arguments, pointers.data());
    ::posix_spawn_file_actions_destroy(&actions);
    if (error != 0) throw std::runtime_error("posix_spawn");
  }

  pid_t pid_ = -1;
  int end_ = -1;
  bool is_running_ = true;
};

/// Exit status of a role that needs no messages.
inline int run_role(const std::string& role, const std::vector<std::string>& environment = {}) {
  return Peer(role, environment).wait();
}

}  // namespace fake_cuda::testing
