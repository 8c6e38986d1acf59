// SPDX-License-Identifier: Apache-2.0
// A member of the context that writes garbage into the words of a stream, or asks for nonsense: it
// may spoil the stream, but nobody crashes or looks where nothing is. The address sanitizer looks.
#include <atomic>
#include <random>
#include <vector>

#include "client/state.hpp"
#include "client/stream.hpp"
#include "frames_testing.hpp"

namespace clara_fastio {
namespace {

using namespace testing;
using protocol::Message;
using protocol::Operation;
using std::chrono::microseconds;

constexpr std::uint64_t kLikely[] = {
    0, 1, 2, 0x101, 0x102, 0x201, 0x1ffff, 1ull << 63, 1ull << 40, ~0ull, 0xffffffff, 1ull << 32};

/// Writes garbage at random places until it is gone.
class Vandal {
 public:
  Vandal(std::byte* memory, std::uint64_t nbytes)
      : thread_([this, memory, nbytes] {
          std::mt19937_64 random(7);
          while (!done_) {
            auto* words = reinterpret_cast<std::atomic<std::uint64_t>*>(memory);
            const std::uint64_t pick = random();
            words[random() % (nbytes / 8)].store(
                pick % 4 == 0 ? random() : kLikely[pick % std::size(kLikely)]);
          }
        }) {}
  ~Vandal() {
    done_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> done_ = false;
  std::thread thread_;
};

struct HostileFrames : Frames {
  std::shared_ptr<Context> evil = stranger(*host, "evil");

  void expect_service() {
    const auto honest = stranger(*host);
    const auto variable = testing::declare(*honest, "service", shape_of({1000}));
    fill(variable, 5);
    EXPECT_TRUE(holds(host->find("service"), 5));
  }

  /// Sums all that it is shown.
  static void take_some(const std::shared_ptr<Entry>& entry, const std::string& name, int rounds) {
    std::uint64_t sum = 0;
    for (int round = 0; round < rounds; ++round) {
      (void)code_of([&] {
        FrameReader reader(entry, edge(name));
        for (int i = 0; i < 20; ++i) {
          Frame frame;
          if (code_of([&] {
                if (reader.try_take(frame) != FrameReader::Result::taken) {
                  reader.wait(microseconds(100));
                  return;
                }
                for (std::uint64_t at = 0; at < frame.nbytes; ++at) {
                  sum += static_cast<std::uint64_t>(frame.data[at]);
                }
                sum += frame.header[63];
                reader.release(frame.slot);
              }) == Errc::freed) {
            return;
          }
        }
      });
      (void)code_of([&] { (void)stream_info(*entry); });
    }
  }

  static void send_some(FrameWriter& writer, int rounds) {
    for (int round = 0; round < rounds; ++round) {
      (void)code_of([&] {
        if (!writer.try_next()) return writer.wait(microseconds(100));
        writer.set_shape(shape_of({round % 20, 10}));
        std::memset(writer.data(), round, writer.nbytes());
        writer.commit();
      });
      writer.abort();
    }
  }
};

TEST_F(HostileFrames, GarbageInTheWordsOfAStreamCrashesNobody) {
  for (const Policy policy : {Policy::block, Policy::drop_oldest, Policy::latest}) {
    const auto output = declare(*host, 5, policy, shape_of({kDynamic, 10}), 200);
    reserve_edge(*output, edge("kept"));
    const auto words = client::Stream::of(*evil->find("frames"));
    {
      const Vandal vandal(words.map->map.data(), layout::kRingBytes);
      std::thread consumer(
          [&, context = stranger(*host)] { take_some(context->find("frames"), "one", 100); });
      send_some(*FrameWriter::of(output), 3000);
      take_some(host->find("frames"), "kept", 30);
      consumer.join();
    }
    output->free();
  }
  expect_service();
}

TEST_F(HostileFrames, GarbageInTheCellsCrashesNobody) {
  const auto output = declare(*host, 5, Policy::drop_oldest, shape_of({kDynamic, 10}), 200);
  reserve_edge(*output, edge("kept"));
  const auto words = client::Stream::of(*evil->find("frames"));
  {
    auto* lane = reinterpret_cast<std::byte*>(&words.ring.lane(0));
    const Vandal vandal(lane, 64);
    std::thread consumer(
        [&, context = stranger(*host)] { take_some(context->find("frames"), "kept", 100); });
    send_some(*FrameWriter::of(output), 3000);
    consumer.join();
  }
  expect_service();
}

TEST_F(HostileFrames, GarbageInTheHeadsIsALayoutErrorAtMost) {
  const auto output = declare(*evil, 4, Policy::drop_oldest, shape_of({kDynamic, 10}), 200);
  FrameReader reader(host->find("frames"), edge("one"));
  std::atomic<bool> is_over = false;
  std::thread producer([&] {
    std::mt19937_64 random(9);
    const auto writer = FrameWriter::of(output);
    while (!is_over) {
      send_some(*writer, 1);
      auto* words = reinterpret_cast<std::atomic<std::uint64_t>*>(writer->window().block->data);
      for (int i = 0; i < 8; ++i) {
        const std::uint64_t pick = random();
        words[random() % (4 * sizeof(layout::FrameHead) / 8)].store(
            pick % 4 == 0 ? random() : kLikely[pick % std::size(kLikely)]);
      }
    }
  });
  int whole = 0;
  int refused = 0;
  while (whole < 100 || refused < 100) {
    Frame frame;
    const Errc error = code_of([&] {
      if (reader.try_take(frame) != FrameReader::Result::taken) return;
      std::uint64_t sum = 0;
      for (std::uint64_t at = 0; at < frame.nbytes; ++at) {
        sum += static_cast<std::uint64_t>(frame.data[at]);
      }
      whole += sum < ~0ull ? 1 : 0;
      reader.release(frame.slot);
    });
    if (error == static_cast<Errc>(-1)) continue;
    EXPECT_TRUE(error == Errc::layout || error == Errc::shape) << static_cast<int>(error);
    ++refused;
  }
  is_over = true;
  producer.join();
  expect_service();
}

TEST_F(HostileFrames, QueuesThatCannotBeAreRefusedByTheHost) {
  const auto ask = [&](auto&& change) {
    Message message;
    message.operation = Operation::declare;
    message.set_text("bad");
    message.element_type = ElementType::uint8;
    message.set_shape(shape_of({1000}));
    message.queue.slots = 2;
    message.queue.policy = Policy::block;
    message.queue.slot_nbytes = 1000;
    change(message.queue);
    return code_of([&] { evil->state().connection->request(message); });
  };
  EXPECT_EQ(ask([](auto& queue) { queue.slots = layout::kMaxRingSlots + 1; }),
            Errc::invalid_argument);
  EXPECT_EQ(ask([](auto& queue) { queue.slot_nbytes = 999; }), Errc::invalid_argument);
  EXPECT_EQ(ask([](auto& queue) { queue.slot_nbytes = ~0ull; }), Errc::invalid_argument);
  EXPECT_EQ(ask([](auto& queue) { queue.policy = Policy::none; }), Errc::invalid_argument);
  EXPECT_EQ(ask([](auto& queue) { queue.spin_ns = ~0ull; }), Errc::invalid_argument);
  EXPECT_EQ(host->find("bad"), nullptr);
}

TEST_F(HostileFrames, PlacesOfOthersAreNotGivenUp) {
  const auto output = declare(*host, 2, Policy::block);
  FrameReader reader(host->find("frames"), edge("one"));
  Message message;
  message.operation = Operation::unsubscribe;
  message.index = output->index();
  message.generation = output->generation();
  for (const std::uint32_t member : {0u, 1u, 63u, 64u, ~0u}) {
    message.member = member;
    EXPECT_EQ(code_of([&] { evil->state().connection->request(message); }), Errc::closed);
  }
  const auto writer = FrameWriter::of(output);
  send(*writer, 3);
  EXPECT_EQ(receive(reader), 3);
}

TEST_F(HostileFrames, TheHostBelievesNoCountOfLanes) {
  const auto output = declare(*host, 2, Policy::block);
  FrameReader first(host->find("frames"), edge("first"));
  const auto words = client::Stream::of(*evil->find("frames"));
  words.ring.header().lanes.store(0);
  FrameReader second(host->find("frames"), edge("second"));
  words.ring.header().lanes.store(2);
  const auto writer = FrameWriter::of(output);
  send(*writer, 3);
  EXPECT_EQ(receive(first), 3);
  EXPECT_EQ(receive(second), 3);
}

}  // namespace
}  // namespace clara_fastio
