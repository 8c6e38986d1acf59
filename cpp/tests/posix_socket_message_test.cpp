// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <vector>

#include "posix/memfd.hpp"
#include "posix/socket.hpp"
#include "posix_testing.hpp"

namespace clara_fastio::posix {
namespace {

using testing::open_descriptors;

constexpr std::array kMessage{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};

class Message : public ::testing::Test {
 protected:
  Received receive() { return receive_message(second_.get(), buffer_); }

  // As a hostile peer would: any number of descriptors.
  void send_raw(std::size_t nbytes, const std::vector<int>& fds) {
    iovec part{const_cast<std::byte*>(kMessage.data()), nbytes};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(64 * sizeof(int))> control{};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* const first = CMSG_FIRSTHDR(&header);
    first->cmsg_level = SOL_SOCKET;
    first->cmsg_type = SCM_RIGHTS;
    first->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(first), fds.data(), fds.size() * sizeof(int));
    ASSERT_EQ(::sendmsg(first_.get(), &header, 0), static_cast<ssize_t>(nbytes));
  }

  std::pair<UniqueFd, UniqueFd> ends_ = seqpacket_pair();
  UniqueFd& first_ = ends_.first;
  UniqueFd& second_ = ends_.second;
  UniqueFd memory_ = create_memfd("clara-fastio:test:message");
  std::array<std::byte, 64> buffer_{};
};

TEST_F(Message, arrives_whole_and_one_at_a_time) {
  EXPECT_EQ(receive().result, IoResult::would_block);
  ASSERT_EQ(send_message(first_.get(), kMessage), IoResult::ok);
  ASSERT_EQ(send_message(first_.get(), std::span(kMessage).first(1)), IoResult::ok);
  const Received received = receive();
  EXPECT_EQ(received.result, IoResult::ok);
  EXPECT_EQ(received.nbytes, kMessage.size());
  EXPECT_EQ(std::memcmp(buffer_.data(), kMessage.data(), kMessage.size()), 0);
  EXPECT_FALSE(received.truncated);
  EXPECT_FALSE(received.credentials);
  EXPECT_TRUE(received.fds.empty());
  EXPECT_EQ(receive().nbytes, 1U);
  EXPECT_EQ(receive().result, IoResult::would_block);
}

TEST_F(Message, carries_descriptors_that_are_closed_on_exec) {
  const std::array fds{memory_.get(), first_.get(), memory_.get(), second_.get()};
  ASSERT_EQ(send_message(first_.get(), kMessage, fds), IoResult::ok);
  const Received received = receive();
  EXPECT_FALSE(received.truncated);
  ASSERT_EQ(received.fds.size(), kMaxMessageFds);
  EXPECT_EQ(inode_of(received.fds[0].get()), inode_of(memory_.get()));
  EXPECT_EQ(inode_of(received.fds[1].get()), inode_of(first_.get()));
  for (const UniqueFd& fd : received.fds) EXPECT_EQ(::fcntl(fd.get(), F_GETFD), FD_CLOEXEC);
}

TEST_F(Message, that_is_longer_than_the_buffer_is_flagged) {
  ASSERT_EQ(send_message(first_.get(), kMessage), IoResult::ok);
  const Received received = receive_message(second_.get(), std::span(buffer_).first(2));
  EXPECT_TRUE(received.truncated);
  EXPECT_EQ(received.nbytes, 2U);
  EXPECT_EQ(buffer_[2], std::byte{0});
}

TEST_F(Message, extra_descriptors_are_closed_and_flagged) {
  for (const bool credentials : {false, true}) {
    if (credentials) enable_credentials(second_.get());
    for (const std::size_t count : {5U, 6U, 12U, 13U, 40U}) {
      const std::size_t before = open_descriptors();
      send_raw(4, std::vector<int>(count, memory_.get()));
      {
        const Received received = receive();
        EXPECT_TRUE(received.truncated) << count;
        EXPECT_EQ(received.fds.size(), kMaxMessageFds);
        EXPECT_EQ(open_descriptors(), before + kMaxMessageFds);
      }
      EXPECT_EQ(open_descriptors(), before);
    }
  }
}

TEST_F(Message, descriptors_that_find_no_room_in_this_process_are_flagged) {
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
  const std::array fds{memory_.get(), memory_.get(), memory_.get()};
  ASSERT_EQ(send_message(first_.get(), kMessage, fds), IoResult::ok);
  // Room for one more number only.
  const int next = ::dup(memory_.get());
  ::close(next);
  rlimit tight = old;
  tight.rlim_cur = static_cast<rlim_t>(next) + 1;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
  const Received received = receive();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
  EXPECT_EQ(received.result, IoResult::ok);
  EXPECT_EQ(received.fds.size(), 1U);
  EXPECT_TRUE(received.truncated);
}

TEST_F(Message, credentials_come_from_the_kernel) {
  enable_credentials(second_.get());
  ASSERT_EQ(send_message(first_.get(), kMessage, std::array{memory_.get()}), IoResult::ok);
  const Received received = receive();
  EXPECT_FALSE(received.truncated);
  EXPECT_EQ(received.fds.size(), 1U);
  ASSERT_TRUE(received.credentials);
  EXPECT_EQ(received.credentials->pid, ::getpid());
  EXPECT_EQ(received.credentials->uid, ::getuid());
  EXPECT_EQ(received.credentials->gid, ::getgid());
}

TEST_F(Message, credentials_name_the_sender_and_not_the_maker_of_the_pair) {
  enable_credentials(second_.get());
  const pid_t child = ::fork();
  if (child == 0) ::_exit(send_message(first_.get(), kMessage) == IoResult::ok ? 0 : 1);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  const Received received = receive();
  ASSERT_TRUE(received.credentials);
  EXPECT_EQ(received.credentials->pid, child);
  EXPECT_EQ(peer_credentials(second_.get()).pid, ::getpid());
}

TEST_F(Message, to_a_full_queue_would_block) {
  IoResult result = IoResult::ok;
  std::size_t sent = 0;
  while (result == IoResult::ok) {
    result = send_message(first_.get(), kMessage);
    sent += result == IoResult::ok ? 1 : 0;
  }
  EXPECT_EQ(result, IoResult::would_block);
  for (std::size_t i = 0; i < sent; ++i) ASSERT_EQ(receive().result, IoResult::ok);
  EXPECT_EQ(receive().result, IoResult::would_block);
  EXPECT_EQ(send_message(first_.get(), kMessage), IoResult::ok);
}

TEST_F(Message, to_a_closed_peer_is_closed_without_a_signal) {
  // Whoever started the test may have had the signal ignored.
  const auto before = ::signal(SIGPIPE, SIG_DFL);
  second_.reset();
  EXPECT_EQ(send_message(first_.get(), kMessage), IoResult::closed);
  EXPECT_EQ(receive_message(first_.get(), buffer_).result, IoResult::closed);
  ::signal(SIGPIPE, before);
}

TEST_F(Message, is_counted_as_unread_until_the_peer_takes_it) {
  EXPECT_EQ(unread_bytes(first_.get()), 0U);
  ASSERT_EQ(send_message(first_.get(), kMessage, std::array{memory_.get()}), IoResult::ok);
  EXPECT_GE(unread_bytes(first_.get()), kMessage.size());
  EXPECT_EQ(unread_bytes(second_.get()), 0U);
  ASSERT_EQ(receive().result, IoResult::ok);
  EXPECT_EQ(unread_bytes(first_.get()), 0U);
  EXPECT_EQ(unread_bytes(memory_.get()), 0U);
}

TEST_F(Message, sent_before_the_close_still_arrives) {
  ASSERT_EQ(send_message(first_.get(), kMessage), IoResult::ok);
  first_.reset();
  EXPECT_EQ(receive().nbytes, kMessage.size());
  EXPECT_EQ(receive().result, IoResult::closed);
}

TEST_F(Message, unread_by_a_peer_that_closes_is_closed) {
  ASSERT_EQ(send_message(first_.get(), kMessage), IoResult::ok);
  second_.reset();
  EXPECT_EQ(receive_message(first_.get(), buffer_).result, IoResult::closed);
}

TEST_F(Message, without_bytes_counts_as_closed_and_leaks_nothing) {
  const std::size_t before = open_descriptors();
  send_raw(0, {memory_.get(), memory_.get()});
  const Received received = receive();
  EXPECT_EQ(received.result, IoResult::closed);
  EXPECT_TRUE(received.fds.empty());
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(Message, limits_are_refused_at_the_sender) {
  const std::array<int, kMaxMessageFds + 1> fds{};
  EXPECT_ERROR(send_message(first_.get(), {}), Errc::invalid_argument, 0);
  EXPECT_ERROR(send_message(first_.get(), kMessage, fds), Errc::invalid_argument, 0);
  EXPECT_ERROR(send_message(first_.get(), kMessage, std::array{-1}), Errc::system, EBADF);
}

TEST_F(Message, on_something_else_is_a_system_error) {
  EXPECT_ERROR(send_message(memory_.get(), kMessage), Errc::system, ENOTSOCK);
  EXPECT_ERROR(receive_message(memory_.get(), buffer_), Errc::system, ENOTSOCK);
  EXPECT_ERROR(peer_credentials(memory_.get()), Errc::system, ENOTSOCK);
  EXPECT_ERROR(enable_credentials(memory_.get()), Errc::system, ENOTSOCK);
  EXPECT_ERROR(accept_connection(memory_.get()), Errc::system, ENOTSOCK);
}

}  // namespace
}  // namespace clara_fastio::posix
