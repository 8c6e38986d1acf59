// SPDX-License-Identifier: Apache-2.0
// One end of a stream of frames on a device, until it is killed or the stream is over:
// `crash_device_frames CONTEXT producer|EDGE STATE_FD FRAMES NANOSECONDS`, the last of each kernel.
//
// Frame n has n + 1 in each word. A producer makes FRAMES frames, 0 is without end; it finishes
// when its standard input ends. It ends with 0 at the end of the stream, with 3 when the host has
// died, with 4 when a frame was wrong, and with 6 when the producer died. 5 is any other error.
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <iterator>
#include <memory>
#include <string>

#include "clara_fastio/context.hpp"
#include "clara_fastio/entry.hpp"
#include "clara_fastio/error.hpp"
#include "clara_fastio/frame_reader.hpp"
#include "clara_fastio/frame_writer.hpp"
#include "device_gpu.hpp"
#include "state.hpp"

namespace clara_fastio::crash {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kSlice{100};
constexpr std::uint32_t kDepth = 4;
/// Held by a consumer at a time: the producer needs a slot, and another consumer too.
constexpr std::size_t kMostHeld = 2;

struct WrongFrame : std::runtime_error {
  using std::runtime_error::runtime_error;
};

bool has_ended(int fd) {
  pollfd one{fd, POLLIN, 0};
  return ::poll(&one, 1, 0) > 0 && (one.revents & POLLHUP) != 0;
}

class Streams {
 public:
  explicit Streams(Gpu& gpu) : gpu_(gpu) {
    for (Gpu::Stream& stream : streams_) stream = gpu_.new_stream();
  }
  Gpu::Stream next() { return streams_[++turn_ % std::size(streams_)]; }
  void synchronize() {
    for (const Gpu::Stream stream : streams_) gpu_.synchronize(stream);
  }

 private:
  Gpu& gpu_;
  Gpu::Stream streams_[2] = {};
  std::uint64_t turn_ = 0;
};

int produce(Context& context, Gpu& gpu, State& state, std::uint64_t frames, std::uint64_t ns) {
  Declaration declaration;
  declaration.name = "frames";
  declaration.element_type = ElementType::uint32;
  const std::int64_t dimensions[] = {8192};
  declaration.shape = Shape::of(dimensions);
  declaration.memory = layout::Memory::device;
  declaration.may_stage = true;
  declaration.queue.depth = kDepth;
  bool is_new = false;
  const auto entry = context.declare(declaration, is_new);
  EdgeOptions steady;
  steady.name = "steady";
  reserve_edge(*entry, steady);
  const auto writer = FrameWriter::of(entry);
  Streams streams(gpu);
  std::puts("ready");
  std::fflush(stdout);
  for (std::uint64_t made = 0; (frames == 0 || made < frames) && !has_ended(STDIN_FILENO); ++made) {
    state.set(Holds::write_lock);
    const Gpu::Stream stream = streams.next();
    while (!writer->try_next(stream)) writer->wait(kSlice);
    gpu.fill(stream, writer->device_data(), writer->nbytes(),
             static_cast<std::uint32_t>(writer->number() + 1), ns);
    writer->commit();
    state.set(Holds::nothing);
    state.count_pass();
  }
  writer->finish();
  streams.synchronize();
  return 0;
}

class Consumer {
 public:
  Consumer(Context& context, Gpu& gpu, State& state, const std::string& edge, std::uint64_t ns)
      : gpu_(gpu),
        state_(state),
        streams_(gpu),
        ns_(ns),
        is_whole_(edge == "steady"),
        reader_(wait_for(context), edge_of(edge)) {}

  int run() {
    std::puts("ready");
    std::fflush(stdout);
    try {
      return take_all();
    } catch (const Error&) {
      streams_.synchronize();
      held_.clear();
      throw;
    }
  }

 private:
  struct Held {
    Frame frame;
    Gpu::Stream stream = 0;
    Seen seen;
  };

  int take_all() {
    for (;;) {
      auto one = std::make_unique<Held>();
      one->stream = streams_.next();
      const auto result = take(*one);
      if (result == FrameReader::Result::over) break;
      if (result == FrameReader::Result::nothing) {
        while (!held_.empty()) give_back();
        reader_.wait(kSlice);
        continue;
      }
      state_.set(Holds::read_lock);
      gpu_.look(one->stream, one->frame.device_data, one->frame.nbytes, one->seen, ns_);
      held_.push_back(std::move(one));
      while (held_.size() > kMostHeld) give_back();
    }
    while (!held_.empty()) give_back();
    return 0;
  }

  /// After a death each frame that is not whole is refused by an error of its own, and then the
  /// stream; more of them than slots are the stream's.
  FrameReader::Result take(Held& one) {
    for (std::uint32_t refusals = 0;; ++refusals) {
      try {
        return reader_.try_take(one.frame, one.stream);
      } catch (const Error& error) {
        if (error.code() != Errc::peer_died) throw;
        is_whole_ = false;
        while (!held_.empty()) give_back();
        if (refusals > 2 * kDepth) throw;
      }
    }
  }

  /// What a kernel saw of it is judged while it is held.
  void give_back() {
    const Held& one = *held_.front();
    gpu_.synchronize(one.stream);
    const std::uint64_t number = one.frame.number;
    const bool is_refused = reader_.is_poisoned(one.frame.slot);
    if (!is_refused && !one.seen.is(number + 1)) {
      throw WrongFrame("frame " + std::to_string(number) + " has " + one.seen.text());
    }
    if (number < next_) throw WrongFrame("a frame came out of order");
    if (is_whole_ && number != next_) {
      throw WrongFrame("frame " + std::to_string(next_) + " is missing");
    }
    next_ = number + 1;
    reader_.release(one.frame.slot);
    held_.pop_front();
    state_.count_pass();
    if (held_.empty()) state_.set(Holds::nothing);
  }

  static std::shared_ptr<Entry> wait_for(Context& context) {
    for (;;) {
      const std::uint32_t seen = context.names_event();
      if (auto entry = context.find("frames")) return entry;
      context.wait_for_names(seen, kSlice);
    }
  }

  static EdgeOptions edge_of(const std::string& name) {
    EdgeOptions edge;
    edge.name = name;
    return edge;
  }

  Gpu& gpu_;
  State& state_;
  Streams streams_;
  const std::uint64_t ns_;
  bool is_whole_;  ///< it gets every frame
  FrameReader reader_;
  std::deque<std::unique_ptr<Held>> held_;  ///< a kernel writes what was seen of each
  std::uint64_t next_ = 0;
};

int run(int argc, char** argv) {
  if (argc != 6) return 2;
  const std::string role = argv[2];
  const std::uint64_t ns = std::strtoull(argv[5], nullptr, 10);
  try {
    Gpu gpu;
    State state(std::atoi(argv[3]));
    const auto context = Context::open(argv[1]);
    if (role == "producer") {
      return produce(*context, gpu, state, std::strtoull(argv[4], nullptr, 10), ns);
    }
    return Consumer(*context, gpu, state, role, ns).run();
  } catch (const WrongFrame& error) {
    std::fprintf(stderr, "crash_device_frames: %s\n", error.what());
    return 4;
  } catch (const Error& error) {
    std::fprintf(stderr, "crash_device_frames: error %d: %s\n", static_cast<int>(error.code()),
                 error.what());
    if (error.code() == Errc::host_died) return 3;
    return error.code() == Errc::peer_died ? 6 : 5;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "crash_device_frames: %s\n", error.what());
    return 5;
  }
}

}  // namespace
}  // namespace clara_fastio::crash

int main(int argc, char** argv) { return clara_fastio::crash::run(argc, argv); }
