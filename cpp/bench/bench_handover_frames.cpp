// SPDX-License-Identifier: Apache-2.0
// How long is the way of a frame to the process that waits for it, in streams that are under way?
// Usage: bench_handover_frames CPU ping|pong CONTEXT NBYTES SPIN, one process for each of the two
// roles; SPIN is the ns that a wait looks before it sleeps.
#include <chrono>
#include <cstdlib>
#include <cstring>

#include "clara_fastio/context.hpp"
#include "clara_fastio/entry.hpp"
#include "clara_fastio/frame_reader.hpp"
#include "clara_fastio/frame_writer.hpp"
#include "serve.hpp"

namespace {

using namespace clara_fastio;
using namespace std::chrono_literals;

std::shared_ptr<Entry> variable(Context& context, const std::string& name, std::int64_t nbytes,
                                std::uint64_t spin_ns) {
  Declaration declaration;
  declaration.name = name;
  declaration.element_type = ElementType::uint8;
  declaration.shape = Shape::of(std::span(&nbytes, 1));
  declaration.queue.depth = 4;
  declaration.queue.spin_ns = spin_ns;
  bool is_new = false;
  return context.declare(declaration, is_new);
}

/// The first and the last byte stand for the content: a hop costs the same whatever its size is.
class Side {
 public:
  Side(const std::shared_ptr<Entry>& mine, const std::shared_ptr<Entry>& other)
      : writer_(FrameWriter::of(mine)), reader_(other, {}) {}

  void send() {
    while (!writer_->try_next()) writer_->wait(100ms);
    std::byte* const data = writer_->data();
    data[0] = data[writer_->nbytes() - 1] = static_cast<std::byte>(writer_->number());
    writer_->commit();
  }

  void receive() {
    Frame frame;
    while (reader_.try_take(frame) != FrameReader::Result::taken) reader_.wait(100ms);
    const auto expected = static_cast<std::byte>(frame.number);
    if (frame.data[0] != expected || frame.data[frame.nbytes - 1] != expected) {
      std::fputs("the wrong content arrived\n", stderr);
      std::abort();
    }
    reader_.release(frame.slot);
  }

 private:
  std::shared_ptr<FrameWriter> writer_;
  FrameReader reader_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fputs("usage: bench_handover_frames CPU ping|pong CONTEXT NBYTES SPIN\n", stderr);
    return 2;
  }
  bench::pin(std::atoi(argv[1]));
  const bool starts = std::strcmp(argv[2], "ping") == 0;
  const auto context = Context::open(argv[3]);
  const std::int64_t nbytes = std::atoll(argv[4]);
  const std::string kind = std::string("-") + argv[4] + "-" + argv[5];
  const auto spin = static_cast<std::uint64_t>(std::atoll(argv[5]));
  const auto ping = variable(*context, "ping" + kind, nbytes, spin);
  const auto pong = variable(*context, "pong" + kind, nbytes, spin);
  Side side(starts ? ping : pong, starts ? pong : ping);
  // A step is there and back.
  const auto hop = [&](std::uint64_t steps) {
    for (std::uint64_t i = 0; i < steps; ++i) {
      if (starts) side.send();
      side.receive();
      if (!starts) side.send();
    }
  };
  return bench::serve({{"touch", hop}, {"hop", hop}});
}
