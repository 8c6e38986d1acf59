// SPDX-License-Identifier: Apache-2.0
// Producers and consumers that sleep: whatever happens to the other side wakes them. The waits are
// longer than a test may take, so a lost wake-up shows.
#include <atomic>
#include <bit>

#include "client/stream.hpp"
#include "frames_testing.hpp"

namespace clara_fastio {
namespace {

using namespace testing;
using std::chrono::milliseconds;

struct FrameWaits : Frames {
  std::shared_ptr<Context> other = stranger(*host);
  std::shared_ptr<Entry> output = declare(*other, 1, Policy::block);
  std::shared_ptr<FrameWriter> writer = FrameWriter::of(output);
  client::Stream stream = client::Stream::of(*output);

  bool producer_sleeps() {
    return becomes([&] { return stream.ring.header().asleep.load() != 0; });
  }
  bool consumers_sleep(std::uint32_t lane, int count) {
    return becomes([&] { return std::popcount(stream.ring.lane(lane).sleepers.load()) == count; });
  }

  /// Waits for a slot in a thread, and then says what came of it.
  struct Producer {
    explicit Producer(FrameWriter& of, std::chrono::nanoseconds slice = kLong)
        : thread([this, &of, slice] {
            error = code_of([&] {
              while (!of.try_next()) of.wait(slice);
            });
          }) {}
    Errc end() {
      thread.join();
      return error;
    }
    Errc error{};
    std::thread thread;
  };

  /// Takes frames in a thread until there are no more.
  struct Consumer {
    explicit Consumer(FrameReader& of, std::chrono::nanoseconds slice = kLong)
        : thread([this, &of, slice] {
            error = code_of([&] {
              for (int value = receive(of); value != -2; value = receive(of)) {
                if (value == -1) of.wait(slice);
                if (value >= 0) ++count;
              }
            });
          }) {}
    Errc end() {
      thread.join();
      return error;
    }
    std::atomic<int> count = 0;
    Errc error{};
    std::thread thread;
  };

  static constexpr Errc kNoError = static_cast<Errc>(-1);
};

TEST_F(FrameWaits, AProducerWakesWhenItsLastConsumerUnsubscribes) {
  FrameReader reader(host->find("frames"), edge("one"));
  send(*writer, 1);
  Producer producer(*writer);
  ASSERT_TRUE(producer_sleeps());
  reader.close();
  EXPECT_EQ(producer.end(), kNoError);
}

TEST_F(FrameWaits, AProducerWakesWhenTheProcessThatHoldsItsSlotLeaves) {
  auto third = stranger(*host);
  auto reader = std::make_unique<FrameReader>(third->find("frames"), edge("one"));
  send(*writer, 1);
  Frame held;
  ASSERT_EQ(reader->try_take(held), FrameReader::Result::taken);
  Producer producer(*writer);
  ASSERT_TRUE(producer_sleeps());
  reader->close();
  reader.reset();
  third.reset();
  EXPECT_EQ(producer.end(), kNoError);
  const EdgeInfo info = stream_info(*output).edges.at(0);
  EXPECT_EQ(info.lost, 1u);
  EXPECT_EQ(info.taken, 1u);
}

TEST_F(FrameWaits, AProducerWakesForItsFirstConsumer) {
  Producer producer(*writer);
  ASSERT_TRUE(producer_sleeps());
  FrameReader reader(host->find("frames"), edge("one"));
  EXPECT_EQ(producer.end(), kNoError);
}

TEST_F(FrameWaits, BothSidesWakeWhenTheVariableIsFreed) {
  FrameReader full(host->find("frames"), edge("full"));
  FrameReader empty(host->find("frames"), edge("empty"));
  send(*writer, 1);
  EXPECT_EQ(receive(empty), 1);
  Producer producer(*writer);
  Consumer consumer(empty);
  ASSERT_TRUE(producer_sleeps());
  ASSERT_TRUE(consumers_sleep(1, 1));
  host->find("frames")->free();
  EXPECT_EQ(producer.end(), Errc::freed);
  EXPECT_EQ(consumer.end(), Errc::freed);
}

TEST_F(FrameWaits, NobodySleepsForAVariableThatWasFreedBefore) {
  FrameReader full(host->find("frames"), edge("full"));
  FrameReader empty(host->find("frames"), edge("empty"));
  send(*writer, 1);
  EXPECT_EQ(receive(empty), 1);
  output->free();
  EXPECT_EQ(Producer(*writer).end(), Errc::freed);
  EXPECT_EQ(Consumer(empty).end(), Errc::freed);
}

TEST_F(FrameWaits, BothSidesAreToldThatTheHostIsDead) {
  const auto third = stranger(*host);
  FrameReader full(third->find("frames"), edge("full"));
  FrameReader empty(third->find("frames"), edge("empty"));
  send(*writer, 1);
  EXPECT_EQ(receive(empty), 1);
  Producer producer(*writer, milliseconds(20));
  Consumer consumer(empty, milliseconds(20));
  ASSERT_TRUE(producer_sleeps());
  host->close();
  EXPECT_EQ(producer.end(), Errc::host_died);
  EXPECT_EQ(consumer.end(), Errc::host_died);
}

TEST_F(FrameWaits, AConsumerWakesWhenAnotherThreadClosesIt) {
  FrameReader reader(host->find("frames"), edge("one"));
  Consumer consumer(reader);
  ASSERT_TRUE(consumers_sleep(0, 1));
  reader.close();
  EXPECT_EQ(consumer.end(), Errc::closed);
  EXPECT_EQ(stream.ring.lane(0).sleepers.load(), 0u);
}

TEST_F(FrameWaits, ConsumersWakeWhenTheStreamEnds) {
  EdgeOptions options = edge("group");
  options.is_shared = true;
  FrameReader one(host->find("frames"), options);
  FrameReader two(host->find("frames"), options);
  Consumer first(one);
  Consumer second(two);
  ASSERT_TRUE(consumers_sleep(0, 2));
  writer->finish();
  EXPECT_EQ(first.end(), kNoError);
  EXPECT_EQ(second.end(), kNoError);
}

TEST_F(FrameWaits, ConsumersWakeWhenTheProducerLeaves) {
  FrameReader reader(host->find("frames"), edge("one"));
  send(*writer, 1);
  Consumer consumer(reader);
  ASSERT_TRUE(consumers_sleep(0, 1));
  stream = {};
  writer.reset();
  output.reset();
  other.reset();
  EXPECT_EQ(consumer.end(), Errc::peer_died);
  EXPECT_EQ(consumer.count, 1);
}

TEST_F(FrameWaits, OneOfAGroupIsEnoughWhenTheOthersLeave) {
  constexpr int kCount = 3000;
  EdgeOptions options = edge("group");
  options.is_shared = true;
  FrameReader stays(host->find("frames"), options);
  Consumer consumer(stays);
  std::atomic<int> left = 0;
  std::thread leavers([&] {
    while (consumer.count + left < kCount) {
      FrameReader leaver(host->find("frames"), options);
      leaver.wait(milliseconds(1));  // It may be woken for a frame, and takes none.
      if (receive(leaver) >= 0) ++left;
    }
  });
  for (int i = 0; i < kCount; ++i) {
    while (!writer->try_next()) writer->wait(kLong);
    std::memset(writer->data(), 7, writer->nbytes());
    writer->commit();
  }
  leavers.join();
  writer->finish();
  EXPECT_EQ(consumer.end(), kNoError);
  EXPECT_EQ(consumer.count + left, kCount);
  expect_adds_up(stream_info(*output).edges.at(0));
}

}  // namespace
}  // namespace clara_fastio
