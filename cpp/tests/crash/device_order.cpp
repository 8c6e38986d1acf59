// SPDX-License-Identifier: Apache-2.0
// Gives work on device memory to several streams, in every order that needs a wait or a signal:
// `crash_device_order CONTEXT ROUNDS`. Long kernels meet short ones, so that a step that is left
// out (CLARA_FASTIO_OMIT) shows in what kernels see.
//
// It ends with 0 when everything was seen as it was written, with 4 at the first thing that was
// not, which it names, and with 5 after an error.
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>

#include "clara_fastio/context.hpp"
#include "clara_fastio/entry.hpp"
#include "clara_fastio/error.hpp"
#include "clara_fastio/frame_reader.hpp"
#include "clara_fastio/frame_writer.hpp"
#include "clara_fastio/mapping.hpp"
#include "device_gpu.hpp"

namespace clara_fastio::crash {
namespace {

using std::chrono::seconds;

/// At once; every other duration is cut into 64 sleeps.
constexpr std::uint64_t kShort = 0;
constexpr std::uint64_t kLong = 12'000'000;
constexpr std::int64_t kWords = 4096;

struct WrongContent : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The streams of a program, and an entry that it works on through one or two of its contexts.
class Order {
 public:
  using Stream = Gpu::Stream;

  Order(Gpu& gpu, std::shared_ptr<Entry> writer, std::shared_ptr<Entry> reader)
      : gpu_(gpu), writer_(std::move(writer)), reader_(std::move(reader)) {
    for (Stream* stream : {&a_, &b_, &c_}) *stream = gpu_.new_stream();
  }

  void run() {
    read_after_write();
    write_after_write();
    write_after_read();
    write_after_reads(kShort, kLong);
    write_after_reads(kLong, kShort);
    read_on_a_joined_stream();
    write_after_a_joined_read();
    read_after_a_joined_write();
    update_after_update();
  }

 private:
  void read_after_write() {
    write(a_, kLong);
    read(b_, kShort, seen_);
    expect("a read after a write", seen_, number_);
  }

  void write_after_write() {
    write(a_, kLong);
    write(b_, kShort);
    read(c_, kShort, seen_);
    expect("a write after a write", seen_, number_);
  }

  void write_after_read() {
    write(a_, kShort);
    read(b_, kLong, seen_);
    write(c_, kShort);
    expect("a write after a read", seen_, number_ - 1);
  }

  /// Two of one process, on two streams: both have to end before the write.
  void write_after_reads(std::uint64_t first, std::uint64_t second) {
    write(a_, kShort);
    synchronize();  // No wait for the write holds the first up.
    read(a_, first, seen_);
    read(b_, second, other_);
    write(c_, kShort);
    expect("a write after the first of two reads", seen_, number_ - 1);
    expect("a write after the second of two reads", other_, number_ - 1);
  }

  void read_on_a_joined_stream() {
    write(a_, kLong);
    Mapping mapping(reader_, AccessMode::read, b_);
    open(mapping);
    mapping.add_stream(c_);
    gpu_.look(c_, mapping.device_data(), mapping.nbytes(), seen_, kShort);
    mapping.commit();
    expect("a read on a stream that was added", seen_, number_);
  }

  void write_after_a_joined_read() {
    write(a_, kShort);
    {
      Mapping mapping(reader_, AccessMode::read, a_);
      open(mapping);
      mapping.add_stream(b_);
      gpu_.look(b_, mapping.device_data(), mapping.nbytes(), seen_, kLong);
      mapping.commit();
    }
    write(c_, kShort);
    expect("a write after a read on a stream that was added", seen_, number_ - 1);
  }

  void read_after_a_joined_write() {
    {
      Mapping mapping(writer_, AccessMode::write, a_);
      open(mapping);
      mapping.add_stream(b_);
      gpu_.fill(b_, mapping.device_data(), mapping.nbytes(), ++number_, kLong);
      mapping.commit();
    }
    read(c_, kShort, seen_);
    expect("a read after a write on a stream that was added", seen_, number_);
  }

  void update_after_update() {
    for (const Stream stream : {a_, b_, c_}) {
      Mapping mapping(writer_, AccessMode::update, stream);
      open(mapping);
      gpu_.add(stream, mapping.device_data(), mapping.nbytes(), 1, kLong / 2);
      ++number_;
      mapping.commit();
    }
    read(a_, kShort, seen_);
    expect("changes in place, one after the other", seen_, number_);
  }

  static void open(Mapping& mapping) {
    if (!mapping.try_map() && !mapping.wait(seconds(10))) mapping.throw_blocked(true);
  }

  void write(Stream stream, std::uint64_t ns) {
    Mapping mapping(writer_, AccessMode::write, stream);
    open(mapping);
    gpu_.fill(stream, mapping.device_data(), mapping.nbytes(), ++number_, ns);
    mapping.commit();
  }

  /// The stream is busy before it as well, so that a copy at its begin comes late.
  void read(Stream stream, std::uint64_t ns, Seen& seen) {
    gpu_.work(stream, ns);
    Mapping mapping(reader_, AccessMode::read, stream);
    open(mapping);
    gpu_.look(stream, mapping.device_data(), mapping.nbytes(), seen, ns);
    mapping.commit();
  }

  void synchronize() {
    for (const Stream stream : {a_, b_, c_}) gpu_.synchronize(stream);
  }

  void expect(const std::string& what, const Seen& seen, std::uint32_t number) {
    synchronize();
    if (seen.is(number)) return;
    throw WrongContent(what + " of content " + std::to_string(number) + " saw " + seen.text());
  }

  Gpu& gpu_;
  const std::shared_ptr<Entry> writer_;
  const std::shared_ptr<Entry> reader_;
  Stream a_ = 0;
  Stream b_ = 0;
  Stream c_ = 0;
  std::uint32_t number_ = 0;
  Seen seen_;
  Seen other_;
};

Declaration declaration_of(const std::string& name) {
  Declaration declaration;
  declaration.name = name;
  declaration.element_type = ElementType::uint32;
  const std::int64_t dimensions[] = {kWords};
  declaration.shape = Shape::of(dimensions);
  declaration.memory = layout::Memory::device;
  declaration.may_stage = true;
  return declaration;
}

std::shared_ptr<Entry> declare(Context& context, const Declaration& declaration) {
  bool is_new = false;
  return context.declare(declaration, is_new);
}

/// A stream of frames in two slots, whose ends use a stream of the device each; each frame is read
/// for longer than it takes to make the next ones.
void pass_frames(Gpu& gpu, Context& context, Context& peer, std::uint32_t frames) {
  Declaration declaration = declaration_of("frames");
  declaration.queue.depth = 2;
  const auto writer = FrameWriter::of(declare(context, declaration));
  FrameReader reader(peer.find("frames"), EdgeOptions{});
  const Gpu::Stream streams[] = {gpu.new_stream(), gpu.new_stream()};
  std::vector<Seen> seen(frames);
  for (std::uint32_t number = 0; number < frames; ++number) {
    if (!writer->try_next(streams[0])) writer->throw_blocked(false);
    const std::uint64_t ns = number % 2 == 0 ? kLong : kShort;
    gpu.fill(streams[0], writer->device_data(), writer->nbytes(), number + 1, ns);
    writer->commit();
    Frame frame;
    reader.try_take(frame, streams[1]);
    gpu.look(streams[1], frame.device_data, frame.nbytes, seen[number], kLong - ns);
    reader.release(frame.slot);
  }
  for (const Gpu::Stream stream : streams) gpu.synchronize(stream);
  for (std::uint32_t number = 0; number < frames; ++number) {
    if (seen[number].is(number + 1)) continue;
    throw WrongContent("frame " + std::to_string(number) + " has " + seen[number].text());
  }
}

/// Memory that is freed while kernels use it, and wanted again at once.
void recycle(Gpu& gpu, Context& context, std::uint32_t rounds) {
  const Gpu::Stream streams[] = {gpu.new_stream(), gpu.new_stream()};
  std::vector<Seen> seen(rounds);
  for (std::uint32_t round = 0; round < rounds; ++round) {
    const auto entry = declare(context, declaration_of("recycled"));
    {
      Mapping mapping(entry, AccessMode::write, streams[round % 2]);
      if (!mapping.try_map()) mapping.throw_blocked(false);
      gpu.fill(mapping.stream(), mapping.device_data(), mapping.nbytes(), round + 1, kLong / 4);
      mapping.commit();
    }
    Mapping mapping(entry, AccessMode::read, streams[round % 2]);
    if (!mapping.try_map()) mapping.throw_blocked(false);
    gpu.look(mapping.stream(), mapping.device_data(), mapping.nbytes(), seen[round], kShort);
    mapping.commit();
    entry->free();
  }
  for (const Gpu::Stream stream : streams) gpu.synchronize(stream);
  for (std::uint32_t round = 0; round < rounds; ++round) {
    if (seen[round].is(round + 1)) continue;
    throw WrongContent("memory used again in round " + std::to_string(round) + " has " +
                       seen[round].text());
  }
}

int run(int argc, char** argv) {
  if (argc != 3) return 2;
  const auto rounds = static_cast<std::uint32_t>(std::atol(argv[2]));
  try {
    Gpu gpu;
    HostOptions options;
    options.name = argv[1];
    options.capacity = 64;
    const auto context = Context::host(options);
    // Another connection of this process has a slot of its own, as another process would.
    const auto peer = Context::open_socket(context->connect("peer"));
    for (std::uint32_t round = 0; round < rounds; ++round) {
      for (const auto& reader : {context, peer}) {
        const auto entry = declare(*context, declaration_of("volume"));
        Order(gpu, entry, reader->find("volume")).run();
        entry->free();
      }
      pass_frames(gpu, *context, *peer, 6);
      context->find("frames")->free();
      recycle(gpu, *context, 8);
    }
    return 0;
  } catch (const WrongContent& error) {
    std::fprintf(stderr, "crash_device_order: %s\n", error.what());
    std::_Exit(4);  // What was left out may keep streams waiting.
  } catch (const std::exception& error) {
    std::fprintf(stderr, "crash_device_order: %s\n", error.what());
    std::_Exit(5);
  }
}

}  // namespace
}  // namespace clara_fastio::crash

int main(int argc, char** argv) { return clara_fastio::crash::run(argc, argv); }
