// SPDX-License-Identifier: Apache-2.0
// Memory that is given from one owner to the next: nobody may hold it twice, and nobody's may
// vanish.
#include <atomic>
#include <barrier>
#include <set>
#include <thread>
#include <vector>

#include "client/state.hpp"
#include "context_testing.hpp"

namespace clara_fastio {
namespace {

using namespace testing;

std::size_t doomed_entries(Context& context) {
  std::size_t count = 0;
  for (const EntryInfo& info : context.entries()) {
    count += info.state == layout::EntryState::doomed ? 1 : 0;
  }
  return count;
}

TEST(RecyclingTest, AVariableFreedByAConsumerDoesNotBecomeHandMadeMemory) {
  auto host = Context::host(options());
  auto producer = stranger(*host);
  auto variable = declare(*producer, "v", shape_of({1 << 20}));
  const std::uint32_t index = variable->index();
  fill(variable, 1);
  host->find("v")->free();
  ::usleep(50'000);  // The producer's background thread hears of it.
  variable.reset();
  auto block = producer->create(1 << 20, false);
  EXPECT_NE(block->index(), index);
  block->publish("b");
}

TEST(RecyclingTest, GrowthForAttributesKeepsANeighbourWhole) {
  auto context = Context::host(options());
  const std::string attributes = "{\"k\": \"" + std::string(1000, 'x') + "\"}";
  auto variable = declare(*context, "v", shape_of({-1}));
  variable->update_shape(shape_of({60'000}));
  fill(variable, 1);
  auto hole = declare(*context, "hole", shape_of({100}));
  hole->set_attributes(attributes);
  fill(hole, 3);
  std::vector<std::shared_ptr<Entry>> neighbours;
  for (int i = 0; i < 100; ++i) {
    neighbours.push_back(declare(*context, "n" + std::to_string(i), shape_of({1000})));
    fill(neighbours.back(), 2);
  }
  // The larger block for the attributes lies in the hole before the neighbours. The old content is
  // longer than the new one, and must not be copied beyond it.
  hole->free();
  hole.reset();
  variable->update_shape(shape_of({100}));
  variable->set_attributes(attributes);
  {
    Mapping map(variable, AccessMode::update);
    ASSERT_TRUE(map.try_map());
    map.commit();
  }
  for (const auto& neighbour : neighbours) EXPECT_TRUE(holds(neighbour, 2));
}

TEST(RecyclingTest, AttributesSurviveGrowth) {
  auto context = Context::host(options());
  auto variable = declare(*context, "v", shape_of({-1}));
  variable->set_attributes("{\"spacing\": 1}");
  for (const std::int64_t n : {10, 1000, 100'000, 10'000'000}) {
    variable->update_shape(shape_of({n}));
    fill(variable, 1);
    EXPECT_EQ(variable->attributes(), "{\"spacing\": 1}") << n;
  }
}

TEST(RecyclingTest, WarmMemoryTakesLongAttributes) {
  auto context = Context::host(options());
  auto first = declare(*context, "first", shape_of({100}));
  fill(first, 1);
  first->free();
  first.reset();
  auto second = declare(*context, "second", shape_of({100}));
  const std::string attributes = "{\"k\": \"" + std::string(2000, 'x') + "\"}";
  second->set_attributes(attributes);
  fill(second, 2);
  EXPECT_EQ(context->find("second")->attributes(), attributes);
  EXPECT_EQ(stranger(*context)->find("second")->attributes(), attributes);
}

TEST(RecyclingTest, AnAbortedTakeoverOfADynamicVariableAsksForItsShape) {
  auto host = Context::host(options());
  {
    auto first = stranger(*host);
    auto variable = declare(*first, "v", shape_of({-1}));
    variable->update_shape(shape_of({100}));
    fill(variable, 1);
  }
  {
    auto second = stranger(*host);
    auto variable = second->find("v");
    Mapping map(variable, AccessMode::write);
    ASSERT_TRUE(map.try_map());  // The shape of the content that is there.
    EXPECT_EQ(map.nbytes(), 100u);
  }
  auto variable = stranger(*host)->find("v");
  EXPECT_EQ(code_of([&] { Mapping(variable, AccessMode::read).try_map(); }), Errc::lock_abandoned);
  EXPECT_EQ(code_of([&] { Mapping(variable, AccessMode::write).try_map(); }), Errc::not_allocated);
}

TEST(RecyclingTest, DroppedMemoryThatIsReadGoesWithItsLastReader) {
  HostOptions small = options();
  small.pool_limit = 1 << 20;
  auto host = Context::host(small);
  auto producer = stranger(*host);
  std::vector<std::shared_ptr<Entry>> held;
  for (int i = 0; i < 4; ++i) {
    auto block = producer->create(1 << 20, false);
    block->publish("b" + std::to_string(i));
    held.push_back(host->find("b" + std::to_string(i)));
    block->free();
  }
  // The pool has more than its limit: all but one are dropped while they are still referred to.
  ::usleep(100'000);
  EXPECT_EQ(doomed_entries(*host), 4u);
  held.clear();
  EXPECT_TRUE(becomes([&] { return doomed_entries(*host) <= 1; })) << doomed_entries(*host);
}

TEST(RecyclingTest, TheSmallestThatIsLargeEnoughAndTheLastGivenBackIsTaken) {
  auto context = Context::host(options());
  const auto give_back = [&](std::vector<std::uint64_t> sizes) {
    std::vector<std::shared_ptr<Entry>> all;
    for (const std::uint64_t nbytes : sizes) all.push_back(context->create(nbytes, false));
    std::vector<std::uint32_t> indices;
    for (auto& one : all) {
      indices.push_back(one->index());
      one.reset();
    }
    return indices;
  };
  const auto indices = give_back({1 << 20, 4 << 20, 1 << 20, 3 << 19});
  auto last_of_two = context->create(1 << 20, false);
  EXPECT_EQ(last_of_two->index(), indices[2]);
  auto first_of_two = context->create(1 << 20, false);
  EXPECT_EQ(first_of_two->index(), indices[0]);
  auto half_as_large_again = context->create(1 << 20, false);
  EXPECT_EQ(half_as_large_again->index(), indices[3]);
  auto fresh = context->create(1 << 20, false);  // Four times as large would be a waste.
  EXPECT_NE(fresh->index(), indices[1]);
}

TEST(RecyclingTest, WarmMemoryIsNoReasonToRefuse) {
  HostOptions limited = options();
  limited.memory_limit = 52 << 20;
  auto context = Context::host(limited);
  // Each round frees variables that the host keeps warm, and asks for others that do not fit there.
  for (int round = 0; round < 3; ++round) {
    std::vector<std::shared_ptr<Entry>> all;
    for (int i = 0; i < 3; ++i) {
      const std::string name = "v" + std::to_string(3 * round + i);
      all.push_back(declare(*context, name, shape_of({(std::int64_t{1} << 20) << (2 * round)})));
      all.back()->allocate();
    }
    for (const auto& one : all) one->free();
  }
}

TEST(RecyclingTest, WarmMemoryOfAnotherProcessIsNoReasonToRefuse) {
  HostOptions limited = options();
  limited.memory_limit = 52 << 20;
  auto host = Context::host(limited);
  auto rich = stranger(*host);
  auto poor = stranger(*host);
  (void)rich->create(40 << 20, false);
  auto block = poor->create(40 << 20, false);
  EXPECT_EQ(code_of([&] { (void)rich->create(40 << 20, false); }), Errc::out_of_memory);
}

TEST(RecyclingTest, NobodyGivesUpWarmMemoryForWhatCanNeverBeHad) {
  HostOptions limited = options();
  limited.memory_limit = 52 << 20;
  auto host = Context::host(limited);
  auto rich = stranger(*host);
  auto greedy = stranger(*host);
  const std::uint32_t warm = rich->create(40 << 20, false)->index();
  EXPECT_EQ(code_of([&] { (void)greedy->create(60 << 20, false); }), Errc::out_of_memory);
  EXPECT_EQ(code_of([&] { (void)greedy->create(1ull << 46, false); }), Errc::out_of_memory);
  auto block = rich->create(40 << 20, false);
  EXPECT_EQ(block->index(), warm);
}

TEST(RecyclingTest, AFullTableGivesTheWarmEntriesFirst) {
  auto context = Context::host(options(64));
  for (int i = 0; i < 64; ++i) {
    fill(declare(*context, "small" + std::to_string(i), shape_of({10})), 1);
  }
  for (int i = 0; i < 64; ++i) context->find("small" + std::to_string(i))->free();
  for (int i = 0; i < 64; ++i) declare(*context, "large" + std::to_string(i), shape_of({1 << 20}));
}

TEST(RecyclingTest, OfTwoWhoReserveMemoryAtOnceOneIsTheProducer) {
  auto host = Context::host(options());
  auto left = stranger(*host);
  auto right = stranger(*host);
  std::barrier together(2);
  for (int round = 0; round < 100; ++round) {
    const std::string name = "v" + std::to_string(round);
    declare(*host, name, shape_of({100}));
    std::atomic<int> writers = 0;
    const auto compete = [&](Context& context, int value) {
      auto variable = context.find(name);
      together.arrive_and_wait();
      try {
        variable->allocate();
        Mapping map(variable, AccessMode::write);
        if (!map_within(map)) return;
        std::memset(map.data(), value, map.nbytes());
        map.commit();
        writers += value;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), Errc::read_only) << error.what();
      }
    };
    std::thread other([&] { compete(*left, 1); });
    compete(*right, 2);
    other.join();
    ASSERT_TRUE(writers == 1 || writers == 2) << writers;
    EXPECT_TRUE(holds(host->find(name), writers));
  }
}

TEST(RecyclingTest, AFailingGetIsNoReasonToRefuseAPublish) {
  auto host = Context::host(options());
  auto looker = stranger(*host);
  auto block = host->create(100'000, false);
  const std::uint32_t index = block->index();
  block->publish("b");
  block->free();
  block.reset();
  block = host->create(100'000, false);
  ASSERT_EQ(block->index(), index);
  looker->state().refer(index);  // As a get() does that found the old name an instant ago.
  EXPECT_EQ(code_of([&] { block->publish("b"); }), static_cast<Errc>(-1));
  looker->state().forget(index);
}

TEST(RecyclingTest, AReferenceMadeWhileTheEntryIsReusedCounts) {
  auto host = Context::host(options());
  auto looker = stranger(*host);
  auto variable = declare(*host, "v", shape_of({-1}));
  const std::uint32_t index = variable->index();
  variable->free();
  variable.reset();
  ASSERT_TRUE(becomes([&] { return host->entries().empty(); }));
  // A get() that looked the old name up, and looks at the record again when it is the new one's.
  looker->state().refer(index);
  variable = declare(*host, "v", shape_of({-1}));
  ASSERT_EQ(variable->index(), index);
  auto found = looker->find("v");
  looker->state().forget(index);
  EXPECT_EQ(host->entries().at(0).references,
            (std::vector<std::uint32_t>{host->slot(), looker->slot()}));
}

/// Lookers set a reference bit for an instant, whatever they find. The memory that is freed and
/// published again under their eyes must neither be refused to its producer nor change while held.
TEST(RecyclingTest, LookersNeitherDisturbTheProducerNorSeeRecycledMemory) {
  constexpr std::uint64_t kBytes = 100'000;  // A segment of its own.
  constexpr int kRounds = 2000;
  auto host = Context::host(options());
  std::atomic<bool> done = false;
  std::atomic<int> seen = 0;
  std::vector<std::thread> lookers;
  for (int i = 0; i < 2; ++i) {
    lookers.emplace_back([&, context = stranger(*host)] {
      while (!done) (void)context->find("b");
    });
    if (i != 0) continue;
    lookers.emplace_back([&, context = stranger(*host)] {
      while (!done) {
        auto entry = context->find("b");
        if (!entry) continue;
        Mapping map(entry, AccessMode::read);
        if (!map_within(map)) continue;
        const auto first = map.data()[0];
        ASSERT_EQ(map.nbytes(), kBytes);
        std::this_thread::yield();
        for (std::uint64_t at = 0; at < kBytes; at += 997) ASSERT_EQ(map.data()[at], first);
        ++seen;
      }
    });
  }
  auto producer = stranger(*host);
  std::set<std::uint32_t> indices;
  for (int round = 0; round < kRounds; ++round) {
    auto block = producer->create(kBytes, false);
    indices.insert(block->index());
    fill(block, round % 251);
    ASSERT_EQ(code_of([&] { block->publish("b"); }), static_cast<Errc>(-1)) << round;
    block->free();
  }
  done = true;
  for (std::thread& looker : lookers) looker.join();
  EXPECT_LT(indices.size(), 20u);  // It was recycled.
  EXPECT_GT(seen, 0);
}

/// The producer frees and others free too: whoever is told to keep the memory, it is kept once.
TEST(RecyclingTest, WhatTwoFreeIsKeptOnce) {
  auto host = Context::host(options());
  auto producer = stranger(*host);
  auto other = stranger(*host);
  std::atomic<bool> done = false;
  std::thread rival([&] {
    while (!done) {
      if (auto entry = other->find("b")) (void)code_of([&] { entry->free(); });
    }
  });
  // Each round publishes under a second name, lets go of it, and takes all memory that is offered.
  for (int round = 0; round < 300; ++round) {
    auto block = producer->create(100'000, false);
    block->publish("b");
    (void)code_of([&] { block->free(); });
    block.reset();
    auto kept = producer->create(100'000, false);
    fill(kept, round % 251);
    kept->publish("kept");
    kept.reset();  // Only its name holds it now.
    std::vector<std::shared_ptr<Entry>> taken;
    for (int i = 0; i < 4; ++i) taken.push_back(producer->create(100'000, true));
    auto found = producer->find("kept");
    ASSERT_NE(found, nullptr);
    ASSERT_TRUE(holds(found, round % 251)) << round;
    for (const auto& one : taken) ASSERT_NE(one->index(), found->index());
    found->free();
  }
  done = true;
  rival.join();
}

/// A variable that is freed and declared anew, looked up all the time: no looker may hold it
/// without a reference, or its memory goes to the next one under the looker's eyes.
TEST(RecyclingTest, ALookerOfAReusedEntryHoldsIt) {
  auto host = Context::host(options());
  auto producer = stranger(*host);
  std::atomic<bool> done = false;
  std::vector<std::thread> lookers;
  for (int i = 0; i < 2; ++i) {
    lookers.emplace_back([&, context = stranger(*host)] {
      while (!done) {
        auto entry = context->find("v");
        if (!entry) continue;
        const auto infos = host->entries();
        const bool is_referenced =
            entry->index() >= infos.size() ||
            std::any_of(infos.begin(), infos.end(), [&](auto& one) {
              return one.index == entry->index() &&
                     std::count(one.references.begin(), one.references.end(), context->slot()) == 1;
            });
        ASSERT_TRUE(is_referenced);
      }
    });
  }
  for (int round = 0; round < 1500; ++round) {
    auto variable = declare(*producer, "v", shape_of({1000}));
    fill(variable, round % 251);
    (void)code_of([&] { variable->free(); });
  }
  done = true;
  for (std::thread& looker : lookers) looker.join();
}

/// The background thread lets go of a segment that is gone while entries that cached it die.
TEST(RecyclingTest, EntriesDieWhileTheirSegmentIsRetired) {
  HostOptions cold = options();
  cold.pool_limit = 0;
  auto host = Context::host(cold);
  auto reader = stranger(*host);
  std::atomic<bool> done = false;
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      while (!done) {
        (void)code_of([&] {
          if (auto entry = reader->find("v")) (void)Mapping(entry, AccessMode::read).try_map();
        });
      }
    });
  }
  for (int round = 0; round < 400; ++round) {
    auto variable = declare(*host, "v", shape_of({100'000}));
    fill(variable, 1);
    variable->free();
  }
  done = true;
  for (std::thread& thread : readers) thread.join();
}

TEST(RecyclingTest, ManySmallAllocationsAreGivenBack) {
  auto host = Context::host(options(1 << 15));
  auto producer = stranger(*host);
  for (int round = 0; round < 2; ++round) {
    std::vector<std::shared_ptr<Entry>> all;
    for (int i = 0; i < 5000; ++i) {
      all.push_back(producer->create(100 + 10 * round, false));
      all.back()->publish("b" + std::to_string(i));
    }
    EXPECT_EQ(host->size(), 5000u);
    for (const auto& one : all) one->free();
  }
  producer.reset();
  EXPECT_TRUE(becomes([&] { return host->entries().empty(); }));
}

}  // namespace
}  // namespace clara_fastio
