// SPDX-License-Identifier: Apache-2.0
// Places in a stream: how many there are, who gets one that was used before, and what it counts.
#include <atomic>
#include <vector>

#include "frames_testing.hpp"

namespace clara_fastio {
namespace {

using namespace testing;

struct FramePlaces : Frames {
  std::unique_ptr<FrameReader> subscribe(const std::string& name, bool is_shared = false) {
    EdgeOptions options = edge(name);
    options.is_shared = is_shared;
    return std::make_unique<FrameReader>(host->find("frames"), options);
  }

  EdgeInfo info(const std::string& name) {
    for (const EdgeInfo& one : stream_info(*output).edges) {
      if (one.name == name) return one;
    }
    ADD_FAILURE() << "no edge " << name;
    return {};
  }

  std::shared_ptr<Entry> output = declare(*host, 3, Policy::block);
  std::shared_ptr<FrameWriter> writer = FrameWriter::of(output);
};

TEST_F(FramePlaces, OfLanesAreThirtyTwo) {
  std::vector<std::unique_ptr<FrameReader>> all;
  for (std::uint32_t i = 0; i < layout::kMaxLanes; ++i) {
    all.push_back(subscribe("edge " + std::to_string(i)));
  }
  EXPECT_EQ(code_of([&] { subscribe("one more"); }), Errc::out_of_memory);
  EXPECT_EQ(code_of([&] { reserve_edge(*output, edge("one more")); }), Errc::out_of_memory);
  send(*writer, 5);
  for (auto& one : all) EXPECT_EQ(receive(*one), 5);
  all[7]->close();
  const auto more = subscribe("one more");
  send(*writer, 6);
  EXPECT_EQ(receive(*more), 6);
  EXPECT_EQ(receive(*all[31]), 6);
}

TEST_F(FramePlaces, OfConsumersAreSixtyFour) {
  std::vector<std::unique_ptr<FrameReader>> all;
  for (std::uint32_t i = 0; i < layout::kMaxMembers; ++i) all.push_back(subscribe("group", true));
  EXPECT_EQ(code_of([&] { subscribe("group", true); }), Errc::out_of_memory);
  EXPECT_EQ(code_of([&] { subscribe("alone"); }), Errc::out_of_memory);
  send(*writer, 5);
  EXPECT_EQ(receive(*all.back()), 5);
  all.front()->close();
  subscribe("alone");
  EXPECT_EQ(info("group").taken, 1u);
}

TEST_F(FramePlaces, ThatWereOthersBeforeCountFromZero) {
  std::vector<std::unique_ptr<FrameReader>> all;
  for (std::uint32_t i = 0; i < layout::kMaxLanes; ++i) {
    all.push_back(subscribe("edge " + std::to_string(i)));
  }
  send(*writer, 1);
  send(*writer, 2);
  EXPECT_EQ(receive(*all[3]), 1);
  all[3]->close();
  expect_adds_up(info("edge 3"));
  const auto next = subscribe("next");
  for (auto& one : all) {
    if (one->is_open()) one->close();
  }
  EXPECT_EQ(info("next").accepted, 0u);
  EXPECT_EQ(info("next").taken, 0u);
  EXPECT_EQ(info("next").unread, 0u);
  EXPECT_EQ(receive(*next), -1);
  send(*writer, 3);
  EXPECT_EQ(receive(*next), 3);
  EXPECT_EQ(info("next").accepted, 1u);
  expect_adds_up(info("next"));
}

TEST_F(FramePlaces, OfTheSameNameGoOnCounting) {
  const auto stays = subscribe("stays");
  for (int i = 0; i < 5; ++i) {
    const auto comes = subscribe("comes and goes");
    send(*writer, i);
    EXPECT_EQ(receive(*comes), i);
    send(*writer, 100);
    EXPECT_EQ(receive(*stays), i);
    EXPECT_EQ(receive(*stays), 100);
  }
  const EdgeInfo counted = info("comes and goes");
  EXPECT_EQ(counted.accepted, 10u);
  EXPECT_EQ(counted.taken, 5u);
  EXPECT_EQ(counted.unread, 5u);
  EXPECT_EQ(counted.dropped, 0u);
}

TEST_F(FramePlaces, WhereAFrameIsHeldAreNobodyElses) {
  std::vector<std::unique_ptr<FrameReader>> all;
  for (std::uint32_t i = 0; i < layout::kMaxLanes; ++i) {
    all.push_back(subscribe("edge " + std::to_string(i)));
  }
  send(*writer, 1);
  Frame held;
  ASSERT_EQ(all[0]->try_take(held), FrameReader::Result::taken);
  for (std::uint32_t i = 1; i < layout::kMaxLanes; ++i) EXPECT_EQ(receive(*all[i]), 1);
  all[0]->close();
  EXPECT_EQ(code_of([&] { subscribe("other"); }), Errc::out_of_memory);
  for (int i = 2; i < 6; ++i) {
    send(*writer, i);
    for (std::uint32_t lane = 1; lane < layout::kMaxLanes; ++lane) {
      EXPECT_EQ(receive(*all[lane]), i);
    }
  }
  EXPECT_EQ(static_cast<int>(held.data[kBytes - 1]), 1);
  EXPECT_EQ(info("edge 0").held, 1u);
  all[0]->release(held.slot);
  subscribe("other");
}

TEST_F(FramePlaces, AreEnoughForAnyNumberOfNames) {
  const auto stays = subscribe("stays");
  for (int i = 0; i < 200; ++i) {
    const auto comes = subscribe("name " + std::to_string(i));
    send(*writer, i);
    EXPECT_EQ(receive(*comes), i % 256);
    EXPECT_EQ(receive(*stays), i % 256);
  }
  EXPECT_EQ(stream_info(*output).edges.size(), layout::kMaxLanes);
  for (const EdgeInfo& one : stream_info(*output).edges) {
    expect_adds_up(one);
    EXPECT_EQ(one.taken, one.name == "stays" ? 200u : 1u) << one.name;
  }
}

TEST_F(FramePlaces, ThatAreGivenUpWhileFramesComeKeepNoSlot) {
  const auto stays = subscribe("stays");
  std::atomic<bool> is_over = false;
  std::thread comes_and_goes([&, context = stranger(*host)] {
    const EdgeOptions options = edge("other", Policy::drop_oldest);
    for (int i = 0; i < 2000; ++i) FrameReader(context->find("frames"), options);
    is_over = true;
  });
  int value = 0;
  for (; !is_over; ++value) {
    send(*writer, value % 256);
    EXPECT_EQ(receive(*stays), value % 256);
  }
  comes_and_goes.join();
  const EdgeInfo counted = info("other");
  EXPECT_EQ(counted.queued, 0u);
  EXPECT_EQ(counted.taken, 0u);
  EXPECT_EQ(info("stays").taken, static_cast<std::uint64_t>(value));
  for (int i = 0; i < 3; ++i) send(*writer, i);
}

TEST_F(FramePlaces, OfAnotherMemberAreNotTaken) {
  const auto other = stranger(*host);
  FrameReader theirs(other->find("frames"), edge("theirs"));
  EXPECT_EQ(code_of([&] { subscribe("theirs"); }), Errc::already_exists);
  EXPECT_EQ(code_of([&] { subscribe("theirs", true); }), Errc::already_exists);
  EdgeOptions options = edge("theirs", Policy::latest);
  EXPECT_EQ(code_of([&] { reserve_edge(*output, options); }), Errc::already_exists);
  const auto mine = subscribe("mine");
  send(*writer, 4);
  EXPECT_EQ(receive(theirs), 4);
  EXPECT_EQ(receive(*mine), 4);
}

TEST_F(Frames, HaveQueuesThatCanBe) {
  EXPECT_EQ(code_of([&] { declare(*host, layout::kMaxRingSlots + 1, Policy::block); }),
            Errc::invalid_argument);
  EXPECT_EQ(code_of([&] { declare(*host, 2, static_cast<Policy>(9)); }), Errc::invalid_argument);
  EXPECT_EQ(code_of([&] { declare(*host, 2, Policy::block, shape_of({1000}), 999); }), Errc::shape);
  EXPECT_EQ(code_of([&] { declare(*host, 2, Policy::block, shape_of({kDynamic})); }), Errc::shape);
  EXPECT_EQ(code_of([&] { declare(*host, 2, Policy::block, shape_of({1ll << 47})); }),
            Errc::out_of_memory);
  const auto most = declare(*host, layout::kMaxRingSlots, Policy::block);
  FrameReader reader(host->find("frames"), edge("one"));
  const auto writer = FrameWriter::of(most);
  for (std::uint32_t i = 0; i < layout::kMaxRingSlots; ++i) send(*writer, static_cast<int>(i));
  EXPECT_FALSE(writer->try_next());
  for (std::uint32_t i = 0; i < layout::kMaxRingSlots; ++i) {
    EXPECT_EQ(receive(reader), static_cast<int>(i));
  }
}

}  // namespace
}  // namespace clara_fastio
