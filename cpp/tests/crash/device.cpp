// SPDX-License-Identifier: Apache-2.0
// Works on the device memory of a context in one role, until it is killed, has done its passes or
// its standard input ends: `crash_device CONTEXT ROLE STATE_FD PASSES NANOSECONDS`, the last of
// each kernel.
//
// Content number n of an entry has n in each word, so that everybody knows what to find. It ends
// with 0 after its passes, with 3 when the host has died, with 4 when it read what is no content,
// and with 5 after any other error.
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "clara_fastio/context.hpp"
#include "clara_fastio/entry.hpp"
#include "clara_fastio/error.hpp"
#include "clara_fastio/mapping.hpp"
#include "device_gpu.hpp"
#include "state.hpp"

namespace clara_fastio::crash {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kSlice{100};
/// A reader has more to look at than what nobody writes.
constexpr milliseconds kPatience{50};
constexpr std::uint64_t kBoardBytes = 64 << 10;
constexpr std::int64_t kLengths[] = {1024, 40'000, 5000, 100'000};
/// Two of them do not fit into one segment. What nobody touches takes no memory.
constexpr std::uint64_t kLargeBytes = 40 << 20;
constexpr std::uint64_t kTouchedBytes = 64 << 10;
/// Passes between two waits for the streams.
constexpr std::uint64_t kBatch = 4;

struct WrongContent : std::runtime_error {
  using std::runtime_error::runtime_error;
};

bool is_of_a_death(Errc code) { return code == Errc::lock_abandoned || code == Errc::peer_died; }

bool has_ended(int fd) {
  pollfd one{fd, POLLIN, 0};
  return ::poll(&one, 1, 0) > 0 && (one.revents & POLLHUP) != 0;
}

class Worker {
 public:
  Worker(const std::string& name, int state_fd, std::uint64_t ns)
      : state_(state_fd),
        ns_(ns),
        is_staged_(std::string(std::getenv("CLARA_FASTIO_CUDA_TRANSPORT")) == "host"),
        prefix_("device-" + std::to_string(getpid())),
        name_(name),
        context_(Context::open(name)) {
    for (Gpu::Stream& stream : streams_) stream = gpu_.new_stream();
  }

  void prepare(const std::string& role) {
    if (role == "keeper") make_board();
  }

  void pass(const std::string& role) {
    static const std::map<std::string, void (Worker::*)()> kRoles = {
        {"keeper", &Worker::write_board},
        {"writer", &Worker::write_board},
        {"reader", &Worker::read},
        {"producer", &Worker::produce},
        {"creator", &Worker::create},
        {"slow_writer", &Worker::write_slowly},
        {"slow_reader", &Worker::read_slowly},
        {"slow_producer", &Worker::produce_slowly},
        {"everything", &Worker::do_everything},
    };
    (this->*kRoles.at(role))();
    if (++passes_ % kBatch != 0) return;
    synchronize();
    state_.count_pass();
  }

  void synchronize() {
    for (const Gpu::Stream stream : streams_) gpu_.synchronize(stream);
  }

 private:
  Gpu::Stream next_stream() { return streams_[++turn_ % std::size(streams_)]; }

  static bool open(Mapping& mapping, steady_clock::time_point end) {
    bool is_open = mapping.try_map();
    while (!is_open && steady_clock::now() < end) is_open = mapping.wait(kSlice);
    return is_open;
  }

  void make_board() {
    DeviceOptions options;
    options.may_stage = true;
    const auto board = context_->create_on_device(kBoardBytes, options);
    const std::int64_t length[] = {static_cast<std::int64_t>(kBoardBytes / 4)};
    board->describe(ElementType::uint32, Shape::of(length));
    write(board, AccessMode::write);
    board->publish("board");
  }

  std::shared_ptr<Entry> volume() {
    Declaration declaration;
    declaration.name = "volume";
    declaration.element_type = ElementType::uint32;
    const std::int64_t dimensions[] = {kDynamic};
    declaration.shape = Shape::of(dimensions);
    declaration.memory = layout::Memory::device;
    declaration.may_stage = true;
    bool is_new = false;
    return context_->declare(declaration, is_new);
  }

  /// The next content, as a kernel that is given to a stream and not waited for.
  void write(const std::shared_ptr<Entry>& entry, AccessMode mode) {
    Mapping mapping(entry, mode, next_stream());
    open(mapping, steady_clock::time_point::max());
    state_.set(Holds::write_lock);
    const auto number = static_cast<std::uint32_t>(mapping.version() + 1);
    const std::uint64_t nbytes = std::min(mapping.nbytes(), touched_);
    if (mode == AccessMode::update) {
      gpu_.add(mapping.stream(), mapping.device_data(), nbytes, 1, ns_);
    } else {
      gpu_.fill(mapping.stream(), mapping.device_data(), nbytes, number, ns_);
    }
    mapping.commit();
    state_.set(Holds::nothing);
  }

  void write_board() {
    const auto board = context_->find("board");
    try {
      write(board, passes_ % 3 == 0 ? AccessMode::update : AccessMode::write);
    } catch (const Error& error) {
      if (!is_of_a_death(error.code())) throw;
      write(board, AccessMode::write);
    }
  }

  void check(const std::shared_ptr<Entry>& entry) {
    const bool keeps = ++checks_ % 2 == 0;  // The mapping, until the stream is done.
    const Gpu::Stream stream = next_stream();
    std::uint64_t number = 0;
    try {
      Mapping mapping(entry, AccessMode::read, stream);
      if (!open(mapping, steady_clock::now() + kPatience)) return;
      state_.set(Holds::read_lock);
      number = mapping.version();
      gpu_.look(stream, mapping.device_data(), std::min(mapping.nbytes(), touched_), seen_, ns_);
      if (keeps) gpu_.synchronize(stream);
      mapping.commit();
    } catch (const Error& error) {
      gpu_.synchronize(stream);  // It may still write what was seen.
      state_.set(Holds::nothing);
      if (!is_refusal(error.code())) throw;
      return;
    }
    state_.set(Holds::nothing);
    gpu_.synchronize(stream);
    judge(entry, number, keeps);
  }

  static bool is_refusal(Errc code) {
    return is_of_a_death(code) || code == Errc::freed || code == Errc::not_ready;
  }

  void judge(const std::shared_ptr<Entry>& entry, std::uint64_t number, bool keeps) {
    std::uint64_t& last = last_[{entry->index(), entry->generation()}];
    const std::string what = entry->label() + ", content " + std::to_string(number);
    if (number < last) throw WrongContent(what + " comes after " + std::to_string(last));
    last = number;
    if (seen_.is(number)) return;
    if (keeps || !is_explained(entry, number)) throw WrongContent(what + ": " + seen_.text());
  }

  /// Whether a death explains what was read by who had given the mapping back by then: the next one
  /// tells, unless somebody wrote meanwhile.
  static bool is_explained(const std::shared_ptr<Entry>& entry, std::uint64_t number) {
    static const bool is_strict = std::getenv("CLARA_FASTIO_OMIT") != nullptr;
    if (is_strict) return false;
    try {
      Mapping mapping(entry, AccessMode::read);
      if (!open(mapping, steady_clock::now() + kPatience)) return true;
      return mapping.version() != number;
    } catch (const Error& error) {
      if (!is_refusal(error.code())) throw;
      return true;
    }
  }

  void read() {
    for (const char* name : {"board", "volume"}) {
      if (const auto entry = context_->find(name)) check(entry);
    }
  }

  // Another shape, and often other memory, with each content.
  void produce() {
    const auto entry = volume();
    const std::int64_t length[] = {kLengths[passes_ % std::size(kLengths)]};
    try {
      entry->update_shape(Shape::of(length));
      write(entry, AccessMode::write);
    } catch (const Error& error) {
      if (error.code() != Errc::read_only) throw;  // Somebody else produces it.
      check(entry);
    }
    if (passes_ % 16 == 15) entry->free();
  }

  // Memory that nobody else has, zeroed; its last one is published.
  void create() {
    touched_ = kTouchedBytes;
    const std::string name = prefix_ + "-" + std::to_string(passes_ % 3);
    if (const auto old = context_->find(name)) old->free();
    for (const std::uint64_t nbytes : {kBoardBytes, is_staged_ ? kBoardBytes : kLargeBytes,
                                       is_staged_ ? kBoardBytes : kLargeBytes}) {
      DeviceOptions options;
      options.may_stage = true;
      options.zero = nbytes == kBoardBytes;
      const auto entry = context_->create_on_device(nbytes, options);
      const std::int64_t length[] = {static_cast<std::int64_t>(nbytes / 4)};
      entry->describe(ElementType::uint32, Shape::of(length));
      if (options.zero) check(entry);
      write(entry, AccessMode::write);
      check(entry);
      kept_.push_back(entry);
    }
    kept_.back()->publish(name);
    kept_.clear();
    touched_ = ~0ull;
  }

  void do_everything() {
    create();
    for (int i = 0; i < 3; ++i) {
      write_board();
      read();
      produce();
    }
    if (passes_ % 2 == 1) {
      context_->close();
      context_ = Context::open(name_);
    }
  }

  /// Work that takes longer than the process lives: others wait for it on the device.
  void write_slowly() {
    write(context_->find("board"), AccessMode::write);
    wait_for_death();
  }

  void read_slowly() {
    Mapping mapping(context_->find("board"), AccessMode::read, next_stream());
    open(mapping, steady_clock::time_point::max());
    gpu_.look(mapping.stream(), mapping.device_data(), mapping.nbytes(), seen_, ns_);
    mapping.commit();
    wait_for_death();
  }

  void produce_slowly() {
    const auto entry = volume();
    const std::int64_t length[] = {kLengths[0]};
    entry->update_shape(Shape::of(length));
    write(entry, AccessMode::write);
    wait_for_death();
  }

  [[noreturn]] static void wait_for_death() {
    std::puts("given");
    std::fflush(stdout);
    for (;;) ::pause();
  }

  Gpu gpu_;
  State state_;
  const std::uint64_t ns_;
  const bool is_staged_;
  const std::string prefix_;
  const std::string name_;
  std::shared_ptr<Context> context_;
  Gpu::Stream streams_[3] = {};
  std::uint64_t touched_ = ~0ull;  ///< bytes of an array that kernels go over, at most
  std::uint64_t turn_ = 0;
  std::uint64_t checks_ = 0;
  std::uint64_t passes_ = 0;
  Seen seen_;  ///< a member, for a kernel may write it after an error
  std::map<std::pair<std::uint32_t, std::uint64_t>, std::uint64_t> last_;
  std::vector<std::shared_ptr<Entry>> kept_;
};

/// Tells of a context, in answer to lines: `pids`, `free NAME`.
int answer(const std::string& name) {
  const auto context = Context::open(name);
  std::puts("ready");
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
    if (line == "pids") {
      for (const ProcessInfo& one : context->processes()) std::cout << one.pid << ' ';
    } else if (const auto entry = context->find(line.substr(5))) {
      entry->free();
    }
    std::cout << std::endl;
  }
  return 0;
}

int work(const std::string& role, char** argv) {
  Worker worker(argv[1], std::atoi(argv[3]), std::strtoull(argv[5], nullptr, 10));
  try {
    worker.prepare(role);
    std::puts("ready");
    std::fflush(stdout);
    const long passes = std::atol(argv[4]);
    for (long i = 0; i < passes && !has_ended(STDIN_FILENO); ++i) worker.pass(role);
    worker.synchronize();
    return 0;
  } catch (const Error& error) {
    if (error.code() != Errc::host_died) throw;
    worker.synchronize();  // What waits for others must come to an end all the same.
    throw;
  }
}

int run(int argc, char** argv) {
  if (argc != 6) return 2;
  const std::string role = argv[2];
  try {
    return role == "watch" ? answer(argv[1]) : work(role, argv);
  } catch (const WrongContent& error) {
    std::fprintf(stderr, "crash_device: %s\n", error.what());
    return 4;
  } catch (const Error& error) {
    std::fprintf(stderr, "crash_device: error %d: %s\n", static_cast<int>(error.code()),
                 error.what());
    return error.code() == Errc::host_died ? 3 : 5;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "crash_device: %s\n", error.what());
    return 5;
  }
}

}  // namespace
}  // namespace clara_fastio::crash

int main(int argc, char** argv) { return clara_fastio::crash::run(argc, argv); }
