// SPDX-License-Identifier: Apache-2.0
// The lock of an entry between threads of one context and between contexts, each with a slot of its
// own. Waits are asked for in slices of 40 seconds: a wake-up that is lost fails the test.
#include "clara_fastio/entry_lock.hpp"

#include <atomic>
#include <thread>
#include <vector>

#include "context_testing.hpp"

namespace clara_fastio {
namespace {

using namespace testing;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// Fails when the time since its beginning shows that something slept through a wake-up.
class Stopwatch {
 public:
  ~Stopwatch() { EXPECT_LT(steady_clock::now() - start_, kLong * 3 / 4) << "a wake-up was lost"; }

 private:
  steady_clock::time_point start_ = steady_clock::now();
};

/// A published allocation, which every process may write.
std::shared_ptr<Entry> shared_block(Context& host, std::uint64_t nbytes) {
  auto block = host.create(nbytes, true);
  block->publish("shared");
  return block;
}

TEST(EntryLockTest, WritersExcludeEachOtherAndReaders) {
  constexpr int kThreads = 6;
  constexpr int kRounds = 3000;
  constexpr std::uint64_t kWords = 32;
  const Stopwatch stopwatch;
  auto host = Context::host(options());
  auto block = shared_block(*host, 8 * kWords);
  // Three contexts, two threads in each.
  std::vector<std::shared_ptr<Context>> contexts = {host, stranger(*host), stranger(*host)};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([entry = contexts[i % 3]->find("shared"), i] {
      for (int round = 0; round < kRounds; ++round) {
        const bool writes = (round + i) % 3 == 0;
        Mapping map(entry, writes ? AccessMode::update : AccessMode::read);
        ASSERT_TRUE(map_within(map));
        auto* words = reinterpret_cast<volatile std::uint64_t*>(map.data());
        const std::uint64_t first = words[0];
        for (std::uint64_t at = 0; at < kWords; ++at) {
          ASSERT_EQ(words[at], first);
          if (writes) words[at] = first + 1;
        }
        if (writes) map.commit();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  Mapping map(block, AccessMode::read);
  ASSERT_TRUE(map.try_map());
  EXPECT_EQ(*reinterpret_cast<std::uint64_t*>(map.data()), kThreads * kRounds / 3u);
  EXPECT_EQ(block->version(), kThreads * kRounds / 3u);
}

/// One writes, the other reads, by turns: each turn is one wake-up.
TEST(EntryLockTest, TurnsNeverSleepThroughAVersion) {
  constexpr std::uint64_t kTurns = 5000;
  const Stopwatch stopwatch;
  auto host = Context::host(options());
  auto other = stranger(*host);
  auto ping = declare(*host, "ping", shape_of({8}));
  auto pong = declare(*other, "pong", shape_of({8}));
  std::thread answering([&, heard = other->find("ping")] {
    for (std::uint64_t turn = 1; turn <= kTurns; ++turn) {
      // The bump of the turn before may come late and end a sleep early; the time tells a lost one.
      while (!heard->wait_for_version(turn, kLong)) continue;
      fill(pong, 1);
    }
  });
  auto heard = host->find("pong");
  for (std::uint64_t turn = 1; turn <= kTurns; ++turn) {
    fill(ping, 1);
    while (!heard->wait_for_version(turn, kLong)) continue;
  }
  answering.join();
}

/// Readers hold the lock for an instant each, and a writer must always be woken by the last one.
TEST(EntryLockTest, TheLastReaderWakesTheWriter) {
  const Stopwatch stopwatch;
  auto host = Context::host(options());
  auto block = shared_block(*host, 64);
  std::atomic<bool> done = false;
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&, context = stranger(*host)] {
      auto entry = context->find("shared");
      while (!done) {
        Mapping map(entry, AccessMode::read);
        ASSERT_TRUE(map_within(map));
      }
    });
  }
  for (int round = 0; round < 3000; ++round) fill(block, round % 100);
  done = true;
  for (std::thread& reader : readers) reader.join();
}

TEST(EntryLockTest, TwoSleepersOfOneProcessDoNotLoseEachOthersBit) {
  const Stopwatch stopwatch;
  auto host = Context::host(options());
  auto other = stranger(*host);
  auto block = shared_block(*host, 64);
  for (int round = 0; round < 50; ++round) {
    auto writer = std::make_unique<Mapping>(block, AccessMode::write);
    ASSERT_TRUE(writer->try_map());
    std::vector<std::thread> sleepers;
    for (int i = 0; i < 3; ++i) {
      sleepers.emplace_back([entry = other->find("shared"), i] {
        Mapping map(entry, AccessMode::read);
        // One gives up early and must leave the bit to the others.
        const bool is_mapped = map_within(map, i == 0 ? milliseconds(1) : milliseconds(kLong));
        ASSERT_TRUE(is_mapped || i == 0);
      });
    }
    ::usleep(2000);
    writer->commit();
    for (std::thread& sleeper : sleepers) sleeper.join();
  }
}

TEST(EntryLockTest, ReadersAreNoConflictToEachOther) {
  auto host = Context::host(options());
  auto block = shared_block(*host, 64);
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([context = i % 2 == 0 ? host : stranger(*host)] {
      auto entry = context->find("shared");
      for (int round = 0; round < 20'000; ++round) {
        Mapping map(entry, AccessMode::read);
        ASSERT_TRUE(map.try_map());
      }
    });
  }
  for (std::thread& reader : readers) reader.join();
}

TEST(EntryLockTest, AWriterThatGivesUpLetsTheReadersIn) {
  const Stopwatch stopwatch;
  auto host = Context::host(options());
  auto block = shared_block(*host, 64);
  auto reader = stranger(*host);
  auto held = std::make_unique<Mapping>(reader->find("shared"), AccessMode::read);
  ASSERT_TRUE(held->try_map());
  auto third = stranger(*host);
  std::thread late;
  {
    Mapping writer(block, AccessMode::write);
    EXPECT_FALSE(writer.try_map());
    EXPECT_FALSE(writer.wait(milliseconds(5)));
    EXPECT_FALSE(writer.wait(milliseconds(5)));
    // The claim keeps new readers out.
    Mapping refused(third->find("shared"), AccessMode::read);
    EXPECT_FALSE(refused.try_map());
    late = std::thread([&] {
      Mapping map(third->find("shared"), AccessMode::read);
      EXPECT_TRUE(map_within(map));
    });
    ::usleep(20'000);
    EXPECT_EQ(code_of([&] { writer.throw_blocked(true); }), Errc::lock_timeout);
  }
  late.join();
}

TEST(EntryLockTest, WhoBlocksHimselfIsToldAtOnce) {
  auto host = Context::host(options());
  auto block = shared_block(*host, 64);
  const auto try_to = [&](AccessMode mode) {
    return code_of([&] { (void)Mapping(block, mode).try_map(); });
  };
  {
    Mapping reader(block, AccessMode::read);
    ASSERT_TRUE(reader.try_map());
    EXPECT_EQ(try_to(AccessMode::write), Errc::lock_conflict);
    EXPECT_EQ(try_to(AccessMode::read), static_cast<Errc>(-1));  // It may nest.
    // Another thread comes and goes; this one still blocks itself.
    std::thread([&] { EXPECT_EQ(try_to(AccessMode::read), static_cast<Errc>(-1)); }).join();
    EXPECT_EQ(try_to(AccessMode::write), Errc::lock_conflict);
  }
  Mapping writer(block, AccessMode::write);
  ASSERT_TRUE(writer.try_map());
  EXPECT_EQ(try_to(AccessMode::read), Errc::lock_conflict);
  EXPECT_EQ(try_to(AccessMode::write), Errc::lock_conflict);
  std::thread([&] { EXPECT_EQ(try_to(AccessMode::read), static_cast<Errc>(-1)); }).join();
  writer.commit();
  EXPECT_EQ(try_to(AccessMode::write), static_cast<Errc>(-1));
}

TEST(EntryLockTest, OfTwoWhoWriteASealedVariableTheSecondIsRefused) {
  for (int round = 0; round < 20; ++round) {
    auto host = Context::host(options());
    Declaration declaration;
    declaration.name = "sealed";
    declaration.shape = shape_of({1000});
    declaration.is_sealed = true;
    bool is_new = false;
    auto variable = host->declare(declaration, is_new);
    variable->allocate();
    std::atomic<int> written = 0;
    const auto write = [&] {
      try {
        Mapping map(variable, AccessMode::write);
        if (!map_within(map)) return;
        std::memset(map.data(), 1, map.nbytes());
        ::usleep(500);
        map.commit();
        ++written;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), Errc::read_only) << error.what();
      }
    };
    std::thread other(write);
    write();
    other.join();
    EXPECT_EQ(written, 1);
    EXPECT_TRUE(holds(variable, 1));
  }
}

/// What one thread publishes, others may use at that moment: it stays the same allocation.
TEST(EntryLockTest, AnAllocationIsNeverFreedByItsPublication) {
  auto host = Context::host(options());
  for (int round = 0; round < 300; ++round) {
    auto block = host->create(64, true);
    std::atomic<bool> done = false;
    std::thread user([&] {
      while (!done) {
        ASSERT_EQ(code_of([&] { block->check(); }), static_cast<Errc>(-1));
        ASSERT_EQ(code_of([&] { (void)block->capacity(); }), static_cast<Errc>(-1));
        Mapping map(block, AccessMode::write);
        ASSERT_TRUE(map.try_map());
        map.commit();
      }
    });
    block->publish("b");
    done = true;
    user.join();
    block->free();
  }
}

TEST(EntryLockTest, ContextsCloseWhileOthersWaitAndDropTheirEntries) {
  const Stopwatch stopwatch;
  for (int round = 0; round < 20; ++round) {
    auto host = Context::host(options());
    auto other = stranger(*host);
    auto variable = declare(*host, "v", shape_of({64}));
    std::vector<std::thread> waiters;
    for (int i = 0; i < 2; ++i) {
      waiters.emplace_back([entry = other->find("v"), i] {
        const Errc code = code_of([&] {
          while (i == 0 ? !entry->wait_for_version(1, milliseconds(20)) : true) {
            Mapping map(entry, AccessMode::read);
            if (!map.try_map()) (void)map.wait(milliseconds(20));
          }
        });
        EXPECT_TRUE(code == Errc::closed || code == Errc::host_died) << static_cast<int>(code);
      });
    }
    std::thread dropping(
        [entries = std::vector{host->create(100, false), host->create(1000, false)},
         made = other->create(100'000, false)]() mutable {
          made.reset();
          entries.clear();
        });
    if (round % 2 == 0) other->close();
    host->close();
    dropping.join();
    for (std::thread& waiter : waiters) waiter.join();
  }
}

}  // namespace
}  // namespace clara_fastio
