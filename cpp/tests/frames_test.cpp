// SPDX-License-Identifier: Apache-2.0
// Streams of frames within one process that has several connections: policies, groups, counters.
#include "frames_testing.hpp"

namespace clara_fastio {
namespace {

using namespace testing;
using layout::Policy;
using std::chrono::milliseconds;

TEST_F(Frames, GoToEveryConsumerInOrder) {
  const auto other = stranger(*host);
  const auto output = declare(*host, 4, Policy::block);
  FrameReader first(other->find("frames"), edge("first"));
  FrameReader second(other->find("frames"), edge("second"));
  const auto writer = FrameWriter::of(output);
  for (int i = 0; i < 4; ++i) send(*writer, i);
  EXPECT_FALSE(writer->try_next());
  for (int i = 0; i < 4; ++i) EXPECT_EQ(receive(first), i);
  EXPECT_EQ(receive(first), -1);
  EXPECT_FALSE(writer->try_next());
  for (int i = 0; i < 4; ++i) EXPECT_EQ(receive(second), i);
  send(*writer, 9);
  writer->finish();
  EXPECT_EQ(receive(first), 9);
  EXPECT_EQ(receive(first), -2);
  EXPECT_EQ(code_of([&] { writer->try_next(); }), Errc::closed);
  for (const EdgeInfo& one : stream_info(*output).edges) expect_adds_up(one);
}

TEST_F(Frames, WaitForTheFirstConsumerWhenTheyBlock) {
  const auto output = declare(*host, 2, Policy::block);
  const auto writer = FrameWriter::of(output);
  EXPECT_FALSE(writer->try_next());
  EXPECT_EQ(code_of([&] { writer->throw_blocked(false); }), Errc::lock_conflict);
  {
    FrameReader reader(host->find("frames"), edge("one"));
    send(*writer, 1);
    EXPECT_EQ(receive(reader), 1);
  }
  send(*writer, 2);
  EXPECT_EQ(stream_info(*output).unclaimed, 1u);
}

TEST_F(Frames, OfAReservedEdgeWaitForItsConsumer) {
  const auto output = declare(*host, 3, Policy::block);
  reserve_edge(*output, edge("later"));
  const auto writer = FrameWriter::of(output);
  send(*writer, 1);
  send(*writer, 2);
  writer->finish();
  FrameReader reader(host->find("frames"), edge("later"));
  EXPECT_EQ(receive(reader), 1);
  EXPECT_EQ(receive(reader), 2);
  EXPECT_EQ(receive(reader), -2);
  EXPECT_EQ(code_of([&] { FrameReader again(host->find("frames"), edge("later")); }),
            Errc::already_exists);
}

TEST_F(Frames, WaitForNobodyWhoseReservationIsGivenUp) {
  const auto output = declare(*host, 1, Policy::block);
  EdgeOptions options = edge("later");
  options.role = "viewer";
  reserve_edge(*output, options);
  const auto writer = FrameWriter::of(output);
  send(*writer, 1);
  EXPECT_FALSE(writer->try_next());
  unreserve_edge(*output, "later", "somebody else");
  EXPECT_FALSE(writer->try_next());
  unreserve_edge(*output, "later", "viewer");
  send(*writer, 2);
  unreserve_edge(*output, "later", "viewer");
  unreserve_edge(*output, "no such edge", "viewer");
  const EdgeInfo info = stream_info(*output).edges.at(0);
  EXPECT_FALSE(info.is_open);
  EXPECT_EQ(info.unread, 1u);
  expect_adds_up(info);
}

TEST_F(Frames, OfAGroupWaitForAllThatAreAwaited) {
  const auto output = declare(*host, 4, Policy::block);
  EdgeOptions options = edge("workers");
  options.is_shared = true;
  for (const char* role : {"one", "two", "three"}) {
    options.role = role;
    reserve_edge(*output, options);
  }
  const auto writer = FrameWriter::of(output);
  const auto first = stranger(*host, "one");
  FrameReader one(first->find("frames"), options);
  send(*writer, 1);
  EXPECT_EQ(receive(one), 1);
  one.close();
  send(*writer, 2);
  EXPECT_TRUE(stream_info(*output).edges.at(0).is_open);
  const auto second = stranger(*host, "two");
  FrameReader two(second->find("frames"), options);
  EXPECT_EQ(receive(two), 2);
  two.close();
  EXPECT_TRUE(stream_info(*output).edges.at(0).is_open);
  unreserve_edge(*output, "workers", "three");
  EXPECT_FALSE(stream_info(*output).edges.at(0).is_open);
}

TEST_F(Frames, AreToldOfForEachConsumerThatHasLeft) {
  const auto output = declare(*host, 2, Policy::block);
  FrameReader stays(host->find("frames"), edge("stays"));
  const auto writer = FrameWriter::of(output);
  for (int i = 1; i <= 2 * static_cast<int>(layout::kMaxMembers); ++i) {
    FrameReader goes(host->find("frames"), edge("goes"));
    send(*writer, i);
    EXPECT_EQ(receive(goes), i);
    EXPECT_EQ(receive(stays), i);
    goes.close();
    const EdgeInfo gone = stream_info(*output).edges.at(1);
    EXPECT_EQ(gone.taken, static_cast<std::uint64_t>(i));
    EXPECT_TRUE(gone.members.at(0).has_left);
    expect_adds_up(gone);
  }
  EXPECT_FALSE(stream_info(*output).edges.at(0).members.at(0).has_left);
}

TEST_F(Frames, DropTheOldest) {
  const auto output = declare(*host, 3, Policy::drop_oldest);
  FrameReader reader(host->find("frames"), edge("slow"));
  const auto writer = FrameWriter::of(output);
  for (int i = 0; i < 10; ++i) send(*writer, i);
  EXPECT_EQ(receive(reader), 7);
  EXPECT_EQ(receive(reader), 8);
  EXPECT_EQ(receive(reader), 9);
  const EdgeInfo info = stream_info(*output).edges.at(0);
  EXPECT_EQ(info.accepted, 10u);
  EXPECT_EQ(info.dropped, 7u);
  expect_adds_up(info);
}

TEST_F(Frames, AHeldOneIsNeverDropped) {
  const auto output = declare(*host, 2, Policy::drop_oldest);
  FrameReader reader(host->find("frames"), edge("slow"));
  const auto writer = FrameWriter::of(output);
  send(*writer, 1);
  Frame held;
  ASSERT_EQ(reader.try_take(held), FrameReader::Result::taken);
  for (int i = 2; i < 9; ++i) send(*writer, i);
  EXPECT_EQ(static_cast<int>(held.data[0]), 1);
  EXPECT_EQ(receive(reader), 8);
  reader.release(held.slot);
}

TEST_F(Frames, KeepTheLatestOnly) {
  const auto output = declare(*host, 4, Policy::block);
  FrameReader latest(host->find("frames"), edge("screen", Policy::latest));
  FrameReader all(host->find("frames"), edge("disk"));
  const auto writer = FrameWriter::of(output);
  for (int i = 0; i < 4; ++i) send(*writer, i);
  EXPECT_EQ(receive(latest), 3);
  EXPECT_EQ(receive(latest), -1);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(receive(all), i);
  const auto edges = stream_info(*output).edges;
  EXPECT_EQ(edges.at(0).dropped, 3u);
  EXPECT_EQ(edges.at(1).dropped, 0u);
}

TEST_F(Frames, SampleEveryThird) {
  const auto output = declare(*host, 8, Policy::block);
  EdgeOptions options = edge("preview", Policy::sample);
  options.parameter = 3;
  FrameReader reader(host->find("frames"), options);
  const auto writer = FrameWriter::of(output);
  for (int i = 0; i < 7; ++i) send(*writer, i);
  EXPECT_EQ(receive(reader), 0);
  EXPECT_EQ(receive(reader), 3);
  EXPECT_EQ(receive(reader), 6);
  EXPECT_EQ(stream_info(*output).edges.at(0).skipped, 4u);
}

TEST_F(Frames, OfAGroupGoToOneEach) {
  const auto output = declare(*host, 4, Policy::block);
  EdgeOptions options = edge("workers");
  options.is_shared = true;
  FrameReader one(host->find("frames"), options);
  FrameReader two(host->find("frames"), options);
  const auto writer = FrameWriter::of(output);
  for (int i = 0; i < 4; ++i) send(*writer, i);
  EXPECT_EQ(receive(one), 0);
  EXPECT_EQ(receive(two), 1);
  EXPECT_EQ(receive(two), 2);
  EXPECT_EQ(receive(one), 3);
  EXPECT_EQ(receive(one), -1);
  one.close();
  send(*writer, 7);
  EXPECT_EQ(receive(two), 7);
  EXPECT_EQ(stream_info(*output).edges.at(0).taken, 5u);
}

TEST_F(Frames, OfVaryingShapeFitTheSlotOrAreRefused) {
  const auto output = declare(*host, 2, Policy::block, shape_of({kDynamic, 10}), 200);
  FrameReader reader(host->find("frames"), edge("one"));
  const auto writer = FrameWriter::of(output);
  ASSERT_TRUE(writer->try_next());
  EXPECT_EQ(code_of([&] { writer->set_shape(shape_of({21, 10})); }), Errc::shape);
  EXPECT_EQ(code_of([&] { writer->set_shape(shape_of({20, 11})); }), Errc::shape);
  writer->set_shape(shape_of({7, 10}));
  writer->set_number(5);
  writer->set_header("abc");
  writer->commit();
  Frame frame;
  ASSERT_EQ(reader.try_take(frame), FrameReader::Result::taken);
  EXPECT_EQ(frame.shape, shape_of({7, 10}));
  EXPECT_EQ(frame.nbytes, 70u);
  EXPECT_EQ(frame.number, 5u);
  EXPECT_STREQ(reinterpret_cast<const char*>(frame.header), "abc");
  reader.release(frame.slot);
  ASSERT_TRUE(writer->try_next());
  EXPECT_EQ(code_of([&] { writer->set_number(5); }), Errc::invalid_argument);
}

TEST_F(Frames, HaveOneProducer) {
  const auto other = stranger(*host);
  const auto output = declare(*host, 2, Policy::drop_oldest);
  send(*FrameWriter::of(output), 1);
  const auto second = FrameWriter::of(other->find("frames"));
  EXPECT_EQ(code_of([&] { second->try_next(); }), Errc::read_only);
}

TEST_F(Frames, OfAClosedConsumerAreUnread) {
  const auto output = declare(*host, 2, Policy::block);
  FrameReader stays(host->find("frames"), edge("stays"));
  const auto writer = FrameWriter::of(output);
  {
    FrameReader goes(host->find("frames"), edge("goes"));
    send(*writer, 1);
    send(*writer, 2);
    EXPECT_EQ(receive(goes), 1);
    EXPECT_EQ(receive(stays), 1);
    EXPECT_EQ(receive(stays), 2);
    EXPECT_TRUE(writer->try_next());
    writer->abort();
    goes.close();
  }
  send(*writer, 3);
  send(*writer, 4);
  const EdgeInfo gone = stream_info(*output).edges.at(1);
  EXPECT_FALSE(gone.is_open);
  EXPECT_EQ(gone.unread, 1u);
  EXPECT_EQ(gone.taken, 1u);
  expect_adds_up(gone);
}

TEST_F(Frames, AllHeldByOneConsumerAreAnError) {
  const auto output = declare(*host, 2, Policy::block);
  FrameReader reader(host->find("frames"), edge("hoarder"));
  const auto writer = FrameWriter::of(output);
  send(*writer, 1);
  send(*writer, 2);
  Frame one;
  Frame two;
  Frame none;
  ASSERT_EQ(reader.try_take(one), FrameReader::Result::taken);
  ASSERT_EQ(reader.try_take(two), FrameReader::Result::taken);
  EXPECT_EQ(code_of([&] { reader.try_take(none); }), Errc::lock_conflict);
  reader.release(one.slot);
  reader.release(two.slot);
}

TEST_F(Frames, ThatAreWaitedForWake) {
  const auto output = declare(*host, 1, Policy::block);
  FrameReader reader(host->find("frames"), edge("one"));
  const auto writer = FrameWriter::of(output);
  std::thread producer([&] {
    for (int i = 0; i < 2000; ++i) {
      while (!writer->try_next()) writer->wait(kLong);
      writer->data()[0] = std::byte(i);
      writer->commit();
    }
    writer->finish();
  });
  int count = 0;
  for (;;) {
    Frame frame;
    const auto result = reader.try_take(frame);
    if (result == FrameReader::Result::over) break;
    if (result == FrameReader::Result::nothing) {
      reader.wait(kLong);
      continue;
    }
    EXPECT_EQ(frame.data[0], std::byte(count));
    EXPECT_EQ(frame.number, static_cast<std::uint64_t>(count));
    ++count;
    reader.release(frame.slot);
  }
  producer.join();
  EXPECT_EQ(count, 2000);
}

TEST_F(Frames, AreNotMapped) {
  const auto output = declare(*host, 2, Policy::block);
  EXPECT_EQ(code_of([&] { Mapping map(output, AccessMode::write); }), Errc::invalid_argument);
}

}  // namespace
}  // namespace clara_fastio
