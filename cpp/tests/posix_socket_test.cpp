// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>

#include "posix/directory.hpp"
#include "posix/event_fd.hpp"
#include "posix/socket.hpp"
#include "posix_testing.hpp"

namespace clara_fastio::posix {
namespace {

using namespace std::chrono_literals;
using testing::random_name;
using testing::TemporaryDirectory;

void expect_connected(int first, int second) {
  EXPECT_EQ(send_message(first, std::array{std::byte{5}}), IoResult::ok);
  std::array<std::byte, 8> buffer{};
  ASSERT_TRUE(wait_readable(second, -1, 5s));
  const Received received = receive_message(second, buffer);
  EXPECT_EQ(received.nbytes, 1U);
  EXPECT_EQ(buffer[0], std::byte{5});
}

TEST(Socket, pair_is_connected_and_closed_on_exec) {
  const auto [first, second] = seqpacket_pair();
  expect_connected(first.get(), second.get());
  expect_connected(second.get(), first.get());
  EXPECT_EQ(::fcntl(first.get(), F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(::fcntl(second.get(), F_GETFD), FD_CLOEXEC);
}

TEST(Socket, abstract_name_connects_and_knows_both_users) {
  const std::string name = random_name();
  const UniqueFd listener = listen_abstract(name);
  EXPECT_FALSE(accept_connection(listener.get()));
  const UniqueFd client = connect_abstract(name);
  const auto server = accept_connection(listener.get());
  ASSERT_TRUE(server);
  EXPECT_EQ(::fcntl(server->get(), F_GETFD), FD_CLOEXEC);
  EXPECT_NE(::fcntl(server->get(), F_GETFL) & O_NONBLOCK, 0);
  expect_connected(client.get(), server->get());
  for (const int fd : {client.get(), server->get()}) {
    EXPECT_EQ(peer_credentials(fd).pid, ::getpid());
    EXPECT_EQ(peer_credentials(fd).uid, ::getuid());
    EXPECT_EQ(peer_credentials(fd).gid, ::getgid());
  }
}

TEST(Socket, abstract_name_belongs_to_one_and_is_gone_with_it) {
  const std::string name = random_name();
  EXPECT_ERROR(connect_abstract(name), Errc::not_found, ECONNREFUSED);
  UniqueFd listener = listen_abstract(name);
  EXPECT_ERROR(listen_abstract(name), Errc::already_exists, EADDRINUSE);
  listener.reset();
  EXPECT_ERROR(connect_abstract(name), Errc::not_found, ECONNREFUSED);
  EXPECT_TRUE(listen_abstract(name));
}

TEST(Socket, names_must_fit_the_address) {
  EXPECT_ERROR(listen_abstract(""), Errc::invalid_argument, 0);
  EXPECT_ERROR(listen_abstract(std::string(kMaxSocketName + 1, 'n')), Errc::invalid_argument, 0);
  const std::string longest = random_name() + std::string(kMaxSocketName, 'n');
  const UniqueFd listener = listen_abstract(longest.substr(0, kMaxSocketName));
  EXPECT_TRUE(connect_abstract(longest.substr(0, kMaxSocketName)));
}

TEST(Socket, connect_to_a_host_that_does_not_accept_ends_in_time) {
  const std::string name = random_name();
  const UniqueFd listener = listen_abstract(name);
  std::vector<UniqueFd> waiting;
  const auto fill = [&] {
    for (int i = 0; i <= kBacklog + 1; ++i) waiting.push_back(connect_abstract(name, 50ms));
  };
  EXPECT_ERROR(fill(), Errc::host_unresponsive, EAGAIN);
  EXPECT_GE(waiting.size(), static_cast<std::size_t>(kBacklog));
}

TEST(Socket, path_socket_works_in_a_directory_with_a_long_name) {
  const TemporaryDirectory temporary;
  const std::string deep = temporary.path() + "/" + std::string(200, 'd');
  const UniqueFd directory = open_private_directory(deep);
  EXPECT_ERROR(connect_path(directory.get(), "0123456789abcdef"), Errc::not_found, ENOENT);
  UniqueFd listener = listen_path(directory.get(), "0123456789abcdef");
  const UniqueFd client = connect_path(directory.get(), "0123456789abcdef");
  const auto server = accept_connection(listener.get());
  ASSERT_TRUE(server);
  expect_connected(client.get(), server->get());
  listener.reset();
  // The file stays when its host dies.
  EXPECT_ERROR(connect_path(directory.get(), "0123456789abcdef"), Errc::not_found, ECONNREFUSED);
  EXPECT_ERROR(listen_path(directory.get(), "0123456789abcdef"), Errc::already_exists, EADDRINUSE);
}

TEST(Socket, path_socket_takes_plain_file_names_only) {
  const TemporaryDirectory temporary;
  const UniqueFd directory = open_private_directory(temporary.path());
  EXPECT_ERROR(listen_path(directory.get(), "../escape"), Errc::invalid_argument, 0);
  EXPECT_ERROR(listen_path(directory.get(), ""), Errc::invalid_argument, 0);
}

TEST(Socket, wait_tells_readable_from_over) {
  const auto [first, second] = seqpacket_pair();
  EXPECT_FALSE(wait_readable(second.get(), -1, 0ms));
  EXPECT_FALSE(wait_readable(second.get(), -1, 10ms));
  ASSERT_EQ(send_message(first.get(), std::array{std::byte{1}}), IoResult::ok);
  EXPECT_TRUE(wait_readable(second.get(), -1, 0ms));
  EXPECT_TRUE(wait_readable(second.get(), -1, -1ms));
  EXPECT_TRUE(wait_readable(second.get(), -1, std::chrono::milliseconds::max()));
}

TEST(Socket, wait_ends_when_the_other_side_closes) {
  auto [first, second] = seqpacket_pair();
  first.reset();
  EXPECT_TRUE(wait_readable(second.get(), -1, -1ms));
}

TEST(Socket, wait_ends_with_the_other_descriptor_but_prefers_a_message) {
  const auto [first, second] = seqpacket_pair();
  EventFd other;
  other.signal();
  EXPECT_FALSE(wait_readable(second.get(), other.fd(), -1ms));
  ASSERT_EQ(send_message(first.get(), std::array{std::byte{1}}), IoResult::ok);
  EXPECT_TRUE(wait_readable(second.get(), other.fd(), -1ms));
}

TEST(Socket, lists_the_names_that_are_listened_on) {
  const std::string prefix = random_name();
  const UniqueFd second = listen_abstract(prefix + "/b");
  const UniqueFd first = listen_abstract(prefix + "/a b");
  const UniqueFd client = connect_abstract(prefix + "/b");
  const auto server = accept_connection(second.get());
  const std::vector<std::string> expected{prefix + "/a b", prefix + "/b"};
  EXPECT_EQ(list_abstract(prefix), expected);
  EXPECT_TRUE(list_abstract(random_name()).empty());
}

TEST(Socket, list_passes_over_other_sockets_and_odd_lines) {
  constexpr std::string_view kText =
      "Num       RefCount Protocol Flags    Type St Inode Path\n"
      "0000000000000000: 00000002 00000000 00010000 0005 01 11 @ours/b\n"
      "0000000000000000: 00000003 00000000 00000000 0005 03 12 @ours/connected\n"
      "0000000000000000: 00000002 00000000 00010000 0001 01 13 @ours/stream\n"
      "0000000000000000: 00000002 00000000 00010000 0005 01 14 /run/ours/path\n"
      "0000000000000000: 00000002 00000000 00010000 0005 01 15\n"
      "0000000000000000: 00000002 00000000 00010000 0005 01 16 @other\n"
      "\n"
      "0000000000000000: 00000002 00000000 00010000 0005 01 17 @ours/a  c";
  const std::vector<std::string> expected{"ours/a  c", "ours/b"};
  EXPECT_EQ(parse_abstract_names(kText, "ours/"), expected);
  EXPECT_TRUE(parse_abstract_names("", "").empty());
}

}  // namespace
}  // namespace clara_fastio::posix
