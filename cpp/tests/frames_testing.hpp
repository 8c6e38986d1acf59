// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "clara_fastio/frame_reader.hpp"
#include "clara_fastio/frame_writer.hpp"
#include "clara_fastio/queue.hpp"
#include "context_testing.hpp"

namespace clara_fastio::testing {

using layout::Policy;

inline constexpr std::int64_t kBytes = 1000;

struct Frames : ::testing::Test {
  std::shared_ptr<Context> host = Context::host(options());

  std::shared_ptr<Entry> declare(Context& context, std::uint32_t depth, Policy policy,
                                 Shape shape = shape_of({kBytes}), std::uint64_t slot_nbytes = 0) {
    Declaration declaration;
    declaration.name = "frames";
    declaration.shape = shape;
    declaration.element_type = ElementType::uint8;
    declaration.queue.depth = depth;
    declaration.queue.policy = policy;
    declaration.queue.slot_nbytes = slot_nbytes;
    declaration.queue.spin_ns = 0;
    bool is_new = false;
    return context.declare(declaration, is_new);
  }

  static void send(FrameWriter& writer, int value) {
    ASSERT_TRUE(writer.try_next());
    std::memset(writer.data(), value, writer.nbytes());
    writer.commit();
  }

  /// The value of the next frame, which is given back; -1 for none, -2 for the end.
  static int receive(FrameReader& reader) {
    Frame frame;
    const auto result = reader.try_take(frame);
    if (result != FrameReader::Result::taken) {
      return result == FrameReader::Result::over ? -2 : -1;
    }
    int value = static_cast<int>(frame.data[0]);
    for (std::uint64_t i = 0; i < frame.nbytes; ++i) {
      if (static_cast<int>(frame.data[i]) != value) value = -3;
    }
    reader.release(frame.slot);
    return value;
  }

  static EdgeOptions edge(const std::string& name, Policy policy = Policy::none) {
    EdgeOptions options;
    options.name = name;
    options.policy = policy;
    return options;
  }

  static void expect_adds_up(const EdgeInfo& edge) {
    EXPECT_EQ(edge.accepted, edge.taken + edge.dropped + edge.unread + edge.queued) << edge.name;
    EXPECT_GE(edge.taken, edge.held + edge.lost) << edge.name;
  }
};

}  // namespace clara_fastio::testing
