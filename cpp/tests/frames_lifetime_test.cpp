// SPDX-License-Identifier: Apache-2.0
// Frames that outlive what they came from: closed contexts, freed variables, forks, other writers.
#include <optional>

#include "frames_testing.hpp"
#include "posix_testing.hpp"

namespace clara_fastio {
namespace {

using namespace testing;
using posix::testing::run_in_fork;

struct FrameLifetime : Frames {
  std::shared_ptr<Entry> output = declare(*host, 2, Policy::drop_oldest);
  std::shared_ptr<FrameWriter> writer = FrameWriter::of(output);
  std::shared_ptr<Context> other = stranger(*host);

  static bool is_whole(const Frame& frame, int value) {
    for (std::uint64_t i = 0; i < frame.nbytes; ++i) {
      if (static_cast<int>(frame.data[i]) != value) return false;
    }
    return true;
  }
};

TEST_F(FrameLifetime, AHeldFrameOutlivesItsContext) {
  auto reader = std::make_unique<FrameReader>(other->find("frames"), edge("one"));
  send(*writer, 1);
  Frame held;
  ASSERT_EQ(reader->try_take(held), FrameReader::Result::taken);
  other->close();
  other.reset();
  for (int i = 2; i < 9; ++i) send(*writer, i);
  EXPECT_TRUE(is_whole(held, 1));
  Frame none;
  EXPECT_EQ(code_of([&] { reader->try_take(none); }), Errc::closed);
  EXPECT_EQ(stream_info(*output).edges.at(0).held, 1u);
  reader->release(held.slot);
  reader.reset();
  EXPECT_TRUE(becomes([&] { return host->processes().size() == 1; }));
  EXPECT_EQ(stream_info(*output).edges.at(0).lost, 0u);
}

TEST_F(FrameLifetime, AConsumerOfAClosedContextStillGivesUpItsPlace) {
  FrameReader reader(other->find("frames"), edge("one", Policy::block));
  send(*writer, 1);
  send(*writer, 2);
  Frame held;
  ASSERT_EQ(reader.try_take(held), FrameReader::Result::taken);
  EXPECT_FALSE(writer->try_next());
  other->close();
  reader.close();
  EXPECT_FALSE(stream_info(*output).edges.at(0).is_open);
  send(*writer, 3);
  EXPECT_TRUE(is_whole(held, 1));
  reader.release(held.slot);
}

TEST_F(FrameLifetime, AHeldFrameOutlivesTheHost) {
  FrameReader reader(other->find("frames"), edge("one"));
  send(*writer, 1);
  Frame held;
  ASSERT_EQ(reader.try_take(held), FrameReader::Result::taken);
  writer.reset();
  output.reset();
  host->close();
  host.reset();
  EXPECT_TRUE(is_whole(held, 1));
  reader.release(held.slot);
  Frame none;
  // The producer was the host's own and left first; that the host is gone comes a moment later.
  EXPECT_TRUE(becomes([&] {
    const Errc code = code_of([&] { reader.try_take(none); });
    EXPECT_TRUE(code == Errc::host_died || code == Errc::peer_died);
    return code == Errc::host_died;
  }));
}

TEST_F(FrameLifetime, AHeldFrameOutlivesItsVariable) {
  FrameReader reader(other->find("frames"), edge("one"));
  send(*writer, 1);
  Frame held;
  ASSERT_EQ(reader.try_take(held), FrameReader::Result::taken);
  output->free();
  const auto next = declare(*host, 2, Policy::drop_oldest);
  const auto next_writer = FrameWriter::of(next);
  for (int i = 2; i < 9; ++i) send(*next_writer, i);
  EXPECT_TRUE(is_whole(held, 1));
  reader.release(held.slot);
}

TEST_F(FrameLifetime, AnotherWriterOfTheProcessGoesOn) {
  FrameReader reader(other->find("frames"), edge("one"));
  for (int i = 1; i <= 3; ++i) send(*writer, i);
  ASSERT_TRUE(writer->try_next());
  writer.reset();
  writer = FrameWriter::of(output);
  send(*writer, 4);
  Frame frame;
  ASSERT_EQ(reader.try_take(frame), FrameReader::Result::taken);
  EXPECT_TRUE(is_whole(frame, 3));
  reader.release(frame.slot);
  ASSERT_EQ(reader.try_take(frame), FrameReader::Result::taken);
  EXPECT_TRUE(is_whole(frame, 4));
  EXPECT_EQ(frame.number, 3u);
  reader.release(frame.slot);
}

TEST_F(FrameLifetime, AFrameThatWasGivenUpIsNeverSeen) {
  FrameReader reader(other->find("frames"), edge("one"));
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(writer->try_next());
    std::memset(writer->data(), 99, 10);
    writer->abort();
  }
  EXPECT_EQ(receive(reader), -1);
  send(*writer, 1);
  EXPECT_EQ(receive(reader), 1);
  EXPECT_EQ(stream_info(*output).produced, 1u);
}

TEST_F(FrameLifetime, AFrameThatOneHoldsIsDroppedByNobody) {
  const auto output = declare(*host, 2, Policy::drop_oldest);
  FrameReader holds(other->find("frames"), edge("holds"));
  FrameReader slow(other->find("frames"), edge("slow"));
  FrameReader screen(other->find("frames"), edge("screen", Policy::latest));
  send(*writer, 1);
  Frame held;
  ASSERT_EQ(holds.try_take(held), FrameReader::Result::taken);
  for (int i = 2; i <= 6; ++i) send(*writer, i);
  EXPECT_TRUE(is_whole(held, 1));
  EXPECT_EQ(receive(slow), 1);
  EXPECT_EQ(receive(slow), 6);
  EXPECT_EQ(receive(screen), 6);
  EXPECT_EQ(receive(screen), -1);
  EXPECT_EQ(receive(holds), 6);
  holds.release(held.slot);
  for (const EdgeInfo& one : stream_info(*output).edges) {
    EXPECT_EQ(one.accepted, 6u);
    EXPECT_EQ(one.dropped, one.name == "screen" ? 5u : 4u) << one.name;
    expect_adds_up(one);
  }
}

TEST_F(FrameLifetime, AForkedChildIsToldAndLeavesTheParentAlone) {
  std::optional<FrameReader> reader(std::in_place, other->find("frames"), edge("one"));
  send(*writer, 1);
  Frame held;
  ASSERT_EQ(reader->try_take(held), FrameReader::Result::taken);
  ASSERT_TRUE(writer->try_next());
  const int status = run_in_fork([&] {
    int failures = 0;
    const auto expect_forked = [&](const char* what, auto&& action) {
      if (code_of(action) == Errc::forked) return;
      std::fprintf(stderr, "%s does not say that it is forked\n", what);
      ++failures;
    };
    Frame frame;
    expect_forked("try_take", [&] { reader->try_take(frame); });
    expect_forked("wait for a frame", [&] { reader->wait(kLong); });
    expect_forked("wait for a slot", [&] { writer->wait(kLong); });
    expect_forked("blocked", [&] { writer->throw_blocked(true); });
    expect_forked("commit", [&] { writer->commit(); });
    expect_forked("finish", [&] { writer->finish(); });
    expect_forked("next", [&] { writer->try_next(); });
    expect_forked("info", [&] { stream_info(*output); });
    expect_forked("reserve", [&] { reserve_edge(*output, edge("other")); });
    expect_forked("subscribe", [&] { FrameReader(output, edge("other")); });
    reader->release(held.slot);
    reader->close();
    reader.reset();
    writer->abort();
    writer.reset();
    return failures;
  });
  EXPECT_EQ(status, 0);
  std::memset(writer->data(), 2, writer->nbytes());
  writer->commit();
  EXPECT_TRUE(is_whole(held, 1));
  EXPECT_EQ(receive(*reader), 2);
  reader->release(held.slot);
  EXPECT_EQ(stream_info(*output).edges.at(0).held, 0u);
}

}  // namespace
}  // namespace clara_fastio
