// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <thread>

#include "posix/epoll.hpp"
#include "posix/event_fd.hpp"
#include "posix_testing.hpp"

namespace clara_fastio::posix {
namespace {

using namespace std::chrono_literals;

TEST(EventFd, many_signals_are_one_until_drained) {
  EventFd bell;
  Epoll epoll;
  epoll.add(bell.fd(), 7, EPOLLIN);
  EXPECT_TRUE(epoll.wait(0ms).empty());
  bell.drain();
  bell.signal();
  bell.signal();
  const auto events = epoll.wait(-1ms);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].data.u64, 7U);
  bell.drain();
  EXPECT_TRUE(epoll.wait(0ms).empty());
}

TEST(EventFd, signal_from_another_thread_ends_a_wait) {
  EventFd bell;
  Epoll epoll;
  epoll.add(bell.fd(), 1, EPOLLIN);
  std::thread ringer([&] { bell.signal(); });
  EXPECT_EQ(epoll.wait(-1ms).size(), 1U);
  ringer.join();
}

TEST(Epoll, tells_which_descriptors_by_their_whole_key) {
  EventFd first;
  EventFd second;
  Epoll epoll;
  epoll.add(first.fd(), UINT64_MAX, EPOLLIN);
  epoll.add(second.fd(), 2, EPOLLIN);
  first.signal();
  const auto events = epoll.wait(0ms);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].data.u64, UINT64_MAX);
  EXPECT_EQ(events[0].events, static_cast<std::uint32_t>(EPOLLIN));
}

TEST(Epoll, modify_changes_events_and_key_and_remove_ends_it) {
  EventFd bell;
  Epoll epoll;
  epoll.add(bell.fd(), 1, 0);
  bell.signal();
  EXPECT_TRUE(epoll.wait(0ms).empty());
  epoll.modify(bell.fd(), 2, EPOLLIN);
  const auto events = epoll.wait(0ms);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].data.u64, 2U);
  epoll.remove(bell.fd());
  epoll.remove(bell.fd());
  EXPECT_TRUE(epoll.wait(0ms).empty());
}

TEST(Epoll, gives_the_rest_in_the_next_call) {
  std::vector<EventFd> bells(Epoll::kMaxEvents + 6);
  Epoll epoll;
  for (std::size_t i = 0; i < bells.size(); ++i) {
    epoll.add(bells[i].fd(), i, EPOLLIN | EPOLLET);
    bells[i].signal();
  }
  EXPECT_EQ(epoll.wait(0ms).size(), static_cast<std::size_t>(Epoll::kMaxEvents));
  EXPECT_EQ(epoll.wait(0ms).size(), 6U);
}

TEST(Epoll, misuse_is_an_error) {
  EventFd bell;
  Epoll epoll;
  epoll.add(bell.fd(), 1, EPOLLIN);
  EXPECT_ERROR(epoll.add(bell.fd(), 1, EPOLLIN), Errc::system, EEXIST);
  EXPECT_ERROR(epoll.add(-1, 1, EPOLLIN), Errc::system, EBADF);
  epoll.remove(bell.fd());
  EXPECT_ERROR(epoll.modify(bell.fd(), 1, EPOLLIN), Errc::system, ENOENT);
}

}  // namespace
}  // namespace clara_fastio::posix
