// SPDX-License-Identifier: Apache-2.0
// One end of a stream, until it is killed or the stream is over:
// `crash_stream CONTEXT producer|consumer LEDGER STATE_FD [KEY=VALUE]...`.
//
// It ends with 0 at the end of the stream or when it is to leave, with 3 when the host has died,
// with 4 when a frame was wrong, and with 6 when the producer died. 5 is any other error.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>

#include "clara_fastio/context.hpp"
#include "clara_fastio/entry.hpp"
#include "clara_fastio/error.hpp"
#include "clara_fastio/frame_reader.hpp"
#include "clara_fastio/frame_writer.hpp"
#include "ledger.hpp"
#include "state.hpp"
#include "stream_content.hpp"

namespace clara_fastio::crash {
namespace {

using std::chrono::milliseconds;

/// Longer than the test waits for anybody: a lost wake-up shows.
constexpr milliseconds kSlice{20'000};
/// The death of a host wakes nobody who sleeps; callers look that often.
constexpr milliseconds kHostSlice{100};

struct WrongFrame : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What the command line says after the positional arguments.
class Options {
 public:
  Options(int argc, char** argv, int first) {
    for (int i = first; i < argc; ++i) {
      const std::string text = argv[i];
      const std::size_t sign = text.find('=');
      values_[text.substr(0, sign)] = sign == std::string::npos ? "" : text.substr(sign + 1);
    }
  }
  std::string text(const std::string& key) const {
    const auto found = values_.find(key);
    return found == values_.end() ? "" : found->second;
  }
  std::uint32_t number(const std::string& key) const {
    return static_cast<std::uint32_t>(std::strtoul(text(key).c_str(), nullptr, 10));
  }

 private:
  std::map<std::string, std::string> values_;
};

/// Now and then a process is held up, so that the others wait for it.
class Pace {
 public:
  explicit Pace(std::uint32_t one_in) : one_in_(one_in) {}
  void pass() {
    if (one_in_ != 0 && random_() % one_in_ == 0) ::usleep(random_() % 400);
  }
  std::uint32_t below(std::uint32_t end) { return static_cast<std::uint32_t>(random_() % end); }

 private:
  std::minstd_rand random_{static_cast<unsigned>(::getpid())};
  std::uint32_t one_in_;
};

/// "name:policy:parameter:shared", each of which is an edge that waits for its consumer.
void reserve_edges(Entry& entry, const std::string& edges) {
  std::istringstream list(edges);
  for (std::string one; std::getline(list, one, ',');) {
    std::istringstream parts(one);
    EdgeOptions options;
    std::string policy;
    std::string parameter;
    std::string shared;
    std::getline(parts, options.name, ':');
    std::getline(parts, policy, ':');
    std::getline(parts, parameter, ':');
    std::getline(parts, shared, ':');
    options.policy = static_cast<layout::Policy>(std::stoul(policy));
    options.parameter = static_cast<std::uint32_t>(std::stoul(parameter));
    options.is_shared = shared == "1";
    reserve_edge(entry, options);
  }
}

int produce(Context& context, Ledger& ledger, State& state, const Options& options) {
  Declaration declaration;
  declaration.name = "frames";
  declaration.element_type = ElementType::uint64;
  const std::int64_t dimensions[] = {kDynamic};
  declaration.shape = Shape::of(dimensions);
  declaration.queue.depth = options.number("depth");
  declaration.queue.slot_nbytes = StreamContent::kMostWords * 8;
  declaration.queue.spin_ns = options.number("spin");
  bool is_new = false;
  const auto entry = context.declare(declaration, is_new);
  reserve_edges(*entry, options.text("edges"));
  const auto writer = FrameWriter::of(entry);
  std::puts("ready");
  std::fflush(stdout);
  const milliseconds slice = options.number("host_dies") != 0 ? kHostSlice : kSlice;
  Pace pace(options.number("pace"));
  const std::uint32_t most = options.number("frames");
  for (std::uint64_t number = 0; ledger.stop.load() == 0 && (most == 0 || number < most);) {
    state.set(Holds::write_lock);
    while (!writer->try_next()) writer->wait(slice);
    const std::int64_t words[] = {static_cast<std::int64_t>(StreamContent::words_of(number))};
    writer->set_shape(Shape::of(words));
    if (pace.below(64) == 0) {
      std::memset(writer->data(), 0xee, writer->nbytes());
      writer->abort();
      continue;
    }
    StreamContent::fill(writer->data(), number);
    writer->set_header({reinterpret_cast<const char*>(&number), sizeof(number)});
    writer->commit();
    ledger.committed.store(++number);
    state.set(Holds::nothing);
    pace.pass();
  }
  writer->finish();
  return 0;
}

class Consumer {
 public:
  Consumer(Context& context, Ledger& ledger, State& state, const Options& options)
      : ledger_(ledger),
        state_(state),
        report_(ledger.reports[options.number("report")]),
        edge_(options.number("edge")),
        most_held_(options.number("hold")),
        most_taken_(options.number("leave")),
        is_whole_(options.number("whole") != 0),
        slice_(options.number("host_dies") != 0 ? kHostSlice : kSlice),
        pace_(options.number("pace")),
        reader_(wait_for(context), edge_of(options)) {}

  int run() {
    std::puts("ready");
    std::fflush(stdout);
    try {
      return take_all();
    } catch (const Error&) {
      while (!held_.empty()) give_back();
      throw;
    }
  }

 private:
  int take_all() {
    for (;;) {
      Frame frame;
      const auto result = reader_.try_take(frame);
      if (result == FrameReader::Result::over) return leave();
      if (result == FrameReader::Result::nothing) {
        reader_.wait(slice_);
        continue;
      }
      take(frame);
      pace_.pass();
      const std::uint32_t keep = most_held_ == 0 ? 0 : pace_.below(most_held_ + 1);
      while (held_.size() > keep) give_back();
      if (most_taken_ != 0 && report_.taken.load() >= most_taken_) return leave();
    }
  }

  static std::shared_ptr<Entry> wait_for(Context& context) {
    for (;;) {
      const std::uint32_t seen = context.names_event();
      if (auto entry = context.find("frames")) return entry;
      context.wait_for_names(seen, kHostSlice);
    }
  }

  static EdgeOptions edge_of(const Options& options) {
    EdgeOptions edge;
    edge.name = options.text("name");
    edge.is_shared = options.number("shared") != 0;
    return edge;
  }

  void take(const Frame& frame) {
    check(frame);
    if (has_taken_ && frame.number <= last_) throw WrongFrame("a frame came out of order");
    if (is_whole_ && frame.number != (has_taken_ ? last_ + 1 : 0)) {
      throw WrongFrame("a frame is missing: " + std::to_string(last_) + ", then " +
                       std::to_string(frame.number));
    }
    has_taken_ = true;
    last_ = frame.number;
    if (!ledger_.mark(edge_, frame.number)) throw WrongFrame("a frame came twice");
    report_.taken.fetch_add(1);
    held_.push_back(frame);
    report_.held.store(held_.size());
    state_.set(Holds::read_lock);
  }

  /// Looked at once more: nobody may have written it while it was held.
  void give_back() {
    check(held_.front());
    reader_.release(held_.front().slot);
    held_.pop_front();
    report_.held.store(held_.size());
    if (held_.empty()) state_.set(Holds::nothing);
  }

  /// Frames that are held stay valid when no more are taken.
  int leave() {
    reader_.close();
    while (!held_.empty()) give_back();
    return 0;
  }

  static void check(const Frame& frame) {
    std::uint64_t number = 0;
    std::memcpy(&number, frame.header, sizeof(number));
    if (number != frame.number || !StreamContent::is_whole(frame.data, frame.nbytes, number)) {
      throw WrongFrame("frame " + std::to_string(frame.number) + " is torn");
    }
  }

  Ledger& ledger_;
  State& state_;
  Report& report_;
  const std::uint32_t edge_;
  const std::uint32_t most_held_;
  const std::uint32_t most_taken_;
  const bool is_whole_;
  const milliseconds slice_;
  Pace pace_;
  FrameReader reader_;
  std::deque<Frame> held_;
  bool has_taken_ = false;
  std::uint64_t last_ = 0;
};

int run(int argc, char** argv) {
  if (argc < 5) return 2;
  try {
    const Options options(argc, argv, 5);
    Ledger& ledger = Ledger::of(argv[3]);
    State state(std::atoi(argv[4]));
    const auto context = Context::open(argv[1]);
    if (std::string(argv[2]) == "producer") return produce(*context, ledger, state, options);
    return Consumer(*context, ledger, state, options).run();
  } catch (const WrongFrame& error) {
    std::fprintf(stderr, "crash_stream: %s\n", error.what());
    return 4;
  } catch (const Error& error) {
    std::fprintf(stderr, "crash_stream: error %d: %s\n", static_cast<int>(error.code()),
                 error.what());
    if (error.code() == Errc::host_died) return 3;
    return error.code() == Errc::peer_died ? 6 : 5;
  }
}

}  // namespace
}  // namespace clara_fastio::crash

int main(int argc, char** argv) { return clara_fastio::crash::run(argc, argv); }
