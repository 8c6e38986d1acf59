// SPDX-License-Identifier: Apache-2.0
#include <pthread.h>
#include <sys/syscall.h>

#include <array>
#include <csignal>
#include <new>
#include <thread>

#include "posix/futex.hpp"
#include "posix/memfd.hpp"
#include "posix_testing.hpp"

namespace clara_fastio::posix {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::nanoseconds kForEver = std::chrono::nanoseconds::max();

const std::string kFutexCall = std::to_string(SYS_futex);

// One word seen at two addresses, as two processes see it: a private futex would not meet.
class Futex : public ::testing::Test {
 protected:
  Futex() {
    set_size(fd_.get(), 4096);
    here_ = Map::of(fd_.get(), 0, 4096, Access::read_write);
    there_ = Map::of(fd_.get(), 0, 4096, Access::read_write);
    word_ = new (here_.data()) std::atomic<std::uint32_t>(0);
    same_word_ = std::launder(reinterpret_cast<std::atomic<std::uint32_t>*>(there_.data()));
  }

  // Waits until the thread sleeps in the kernel, not merely runs towards it.
  static void await_sleep(pid_t thread) {
    const std::string path = "/proc/self/task/" + std::to_string(thread) + "/syscall";
    for (std::string number; number != kFutexCall;) std::ifstream(path) >> number;
  }

  UniqueFd fd_ = create_memfd("clara-fastio:test:futex");
  Map here_;
  Map there_;
  std::atomic<std::uint32_t>* word_ = nullptr;
  std::atomic<std::uint32_t>* same_word_ = nullptr;
};

TEST_F(Futex, returns_at_once_when_the_value_differs) {
  EXPECT_TRUE(futex_wait(*word_, 1, kForEver));
}

TEST_F(Futex, is_false_when_the_time_is_over) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(futex_wait(*word_, 0, 20ms));
  EXPECT_GE(std::chrono::steady_clock::now() - start, 20ms);
}

TEST_F(Futex, does_not_wait_for_zero_or_less) {
  EXPECT_FALSE(futex_wait(*word_, 0, 0ns));
  EXPECT_FALSE(futex_wait(*word_, 0, std::chrono::nanoseconds::min()));
}

TEST_F(Futex, wake_reaches_a_sleeper_on_another_map_of_the_word) {
  std::atomic<pid_t> sleeper{0};
  bool woken = false;
  std::thread thread([&] {
    sleeper = ::gettid();
    woken = futex_wait(*word_, 0, kForEver);
  });
  while (sleeper == 0) std::this_thread::yield();
  await_sleep(sleeper);
  // Without a new value: only the wake itself ends the sleep.
  futex_wake_one(*same_word_);
  thread.join();
  EXPECT_TRUE(woken);
}

TEST_F(Futex, wake_all_reaches_everybody) {
  std::array<std::atomic<pid_t>, 4> sleepers{};
  std::array<std::thread, 4> threads;
  for (std::size_t i = 0; i < threads.size(); ++i) {
    threads[i] = std::thread([&, i] {
      sleepers[i] = ::gettid();
      futex_wait(*word_, 0, kForEver);
    });
  }
  for (const auto& sleeper : sleepers) {
    while (sleeper == 0) std::this_thread::yield();
    await_sleep(sleeper);
  }
  futex_wake_all(*same_word_);
  for (std::thread& thread : threads) thread.join();
}

TEST_F(Futex, a_signal_ends_the_wait) {
  struct sigaction action{};
  action.sa_handler = [](int) {};
  struct sigaction before{};
  ASSERT_EQ(::sigaction(SIGUSR1, &action, &before), 0);
  std::atomic<pid_t> sleeper{0};
  bool result = false;
  std::thread thread([&] {
    sleeper = ::gettid();
    result = futex_wait(*word_, 0, kForEver);
  });
  while (sleeper == 0) std::this_thread::yield();
  await_sleep(sleeper);
  ::pthread_kill(thread.native_handle(), SIGUSR1);
  thread.join();
  EXPECT_TRUE(result);
  ::sigaction(SIGUSR1, &before, nullptr);
}

}  // namespace
}  // namespace clara_fastio::posix
