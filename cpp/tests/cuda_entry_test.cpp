// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "clara_fastio/device.hpp"
#include "context_testing.hpp"
#include "cuda/device.hpp"
#include "cuda_testing.hpp"

namespace clara_fastio {
namespace {

using cuda::testing::Environment;
using cuda::testing::in_process;
using testing::code_of;
using testing::map_within;

constexpr std::int64_t kWords = 4096;

using Stream = cuda::Stream;
using Fill = int(Stream, cuda::Pointer, std::size_t, std::uint32_t, std::uint64_t);
using Sum = int(Stream, cuda::Pointer, std::size_t, std::uint64_t, std::uint32_t*, std::uint32_t*);

std::shared_ptr<Entry> declare(Context& context, const std::string& name,
                               std::int64_t words = kWords, bool may_stage = false) {
  Declaration declaration;
  declaration.name = name;
  declaration.shape = testing::shape_of({words});
  declaration.element_type = ElementType::uint32;
  declaration.memory = layout::Memory::device;
  declaration.may_stage = may_stage;
  bool is_new = false;
  auto entry = context.declare(declaration, is_new);
  entry->allocate();
  return entry;
}

std::uintptr_t new_stream() {
  Stream stream = nullptr;
  const cuda::CurrentContext current(cuda::Device::of_ordinal(0));
  EXPECT_EQ(cuda::DriverApi::get().stream_create(&stream, 1), cuda::kSuccess);
  return reinterpret_cast<std::uintptr_t>(stream);
}

/// Gives the stream a kernel that fills the mapping slowly.
void fill(const Mapping& map, std::uint32_t value, std::uint64_t ns = 2'000'000) {
  const cuda::CurrentContext current(cuda::Device::of_ordinal(0));
  const auto result = cuda::testing::fake_function<Fill>("fakeCudaFill")(
      reinterpret_cast<Stream>(map.stream()), map.device_data(), map.nbytes() / 4, value, ns);
  EXPECT_EQ(result, cuda::kSuccess);
}

/// What a kernel found, once the stream is done.
struct Seen {
  std::uint32_t smallest = 0;
  std::uint32_t largest = 0;
};

void look(const Mapping& map, Seen& seen, std::uint64_t ns = 1'000'000) {
  const cuda::CurrentContext current(cuda::Device::of_ordinal(0));
  const auto result = cuda::testing::fake_function<Sum>("fakeCudaSum")(
      reinterpret_cast<Stream>(map.stream()), map.device_data(), map.nbytes() / 4, ns,
      &seen.smallest, &seen.largest);
  EXPECT_EQ(result, cuda::kSuccess);
}

void synchronize(std::uintptr_t stream) {
  const cuda::CurrentContext current(cuda::Device::of_ordinal(0));
  const auto result = cuda::DriverApi::get().stream_synchronize(reinterpret_cast<Stream>(stream));
  EXPECT_EQ(result, cuda::kSuccess);
}

void write(const std::shared_ptr<Entry>& entry, std::uintptr_t stream, std::uint32_t value) {
  Mapping map(entry, AccessMode::write, stream);
  ASSERT_TRUE(map_within(map));
  fill(map, value);
  map.commit();
}

Seen read(const std::shared_ptr<Entry>& entry, std::uintptr_t stream) {
  Seen seen;
  Mapping map(entry, AccessMode::read, stream);
  EXPECT_TRUE(map_within(map));
  look(map, seen);
  map.commit();
  synchronize(stream);
  return seen;
}

/// Everything that has to hold whatever the mechanism is.
void hand_over(bool may_stage) {
  const auto context = Context::host(testing::options());
  const auto peer = testing::stranger(*context);
  const auto entry = declare(*context, "volume", kWords, may_stage);
  const auto seen_there = peer->find("volume");
  const std::uintptr_t writer = new_stream();
  const std::uintptr_t reader = new_stream();
  for (std::uint32_t value = 1; value <= 20; ++value) {
    write(entry, writer, value);
    const Seen seen = read(seen_there, reader);
    ASSERT_EQ(seen.smallest, value);
    ASSERT_EQ(seen.largest, value);
  }
  EXPECT_EQ(seen_there->version(), 20u);
}

TEST(CudaEntry, IsHandedOverInTheOrderOfItsMappings) {
  in_process([] { hand_over(false); });
}

TEST(CudaEntry, IsHandedOverByEachMechanismAndOrder) {
  for (const char* transport : {"vmm", "legacy", "host"}) {
    for (const char* order : {"timeline", "events", "synchronize"}) {
      in_process({{"CLARA_FASTIO_CUDA_TRANSPORT", transport}, {"CLARA_FASTIO_CUDA_SYNC", order}},
                 [] { hand_over(true); });
    }
  }
}

TEST(CudaEntry, MapsWithoutWaitingForTheDevice) {
  in_process([] {
    const auto context = Context::host(testing::options());
    const auto entry = declare(*context, "volume");
    const std::uintptr_t stream = new_stream();
    Mapping map(entry, AccessMode::write, stream);
    ASSERT_TRUE(map.try_map());
    fill(map, 7, 500'000'000);
    map.commit();
    Seen seen;
    const std::uintptr_t other = new_stream();
    Mapping again(entry, AccessMode::read, other);
    ASSERT_TRUE(again.try_map());
    look(again, seen);
    again.commit();
    EXPECT_EQ(cuda::testing::calls_of("cuStreamSynchronize"), 0u);
    synchronize(other);
    EXPECT_EQ(seen.smallest, 7u);
    EXPECT_EQ(seen.largest, 7u);
  });
}

TEST(CudaEntry, LetsAWriterWaitOnTheDeviceForReaders) {
  in_process([] {
    const auto context = Context::host(testing::options());
    const auto peer = testing::stranger(*context);
    const auto entry = declare(*context, "volume");
    const auto there = peer->find("volume");
    const std::uintptr_t writer = new_stream();
    const std::uintptr_t reader = new_stream();
    write(entry, writer, 1);
    Seen seen;
    {
      Mapping map(there, AccessMode::read, reader);
      ASSERT_TRUE(map_within(map));
      look(map, seen, 100'000'000);
      map.commit();
    }
    write(entry, writer, 2);
    synchronize(reader);
    EXPECT_EQ(seen.smallest, 1u);
    EXPECT_EQ(seen.largest, 1u);
    EXPECT_EQ(read(there, reader).smallest, 2u);
  });
}

TEST(CudaEntry, KeepsTheOrderOfReadsOnTwoStreams) {
  in_process({{"FAKE_CUDA_DELAY", "0-3000"}}, [] {
    const auto context = Context::host(testing::options());
    const auto entry = declare(*context, "volume");
    const std::uintptr_t streams[] = {new_stream(), new_stream(), new_stream()};
    write(entry, streams[0], 1);
    for (std::uint32_t value = 2; value < 30; ++value) {
      Seen seen[2];
      for (int i = 0; i < 2; ++i) {
        Mapping map(entry, AccessMode::read, streams[(value + i) % 3]);
        ASSERT_TRUE(map_within(map));
        look(map, seen[i], i == 0 ? 3'000'000 : 200'000);
        map.commit();
      }
      write(entry, streams[value % 3], value);
      synchronize(streams[value % 3]);
      for (const Seen& one : seen) {
        ASSERT_EQ(one.smallest, value - 1);
        ASSERT_EQ(one.largest, value - 1);
      }
    }
  });
}

TEST(CudaEntry, IsTornWhenItsMappingIsGivenUp) {
  in_process([] {
    const auto context = Context::host(testing::options());
    const auto entry = declare(*context, "volume");
    write(entry, 0, 1);
    {
      Mapping map(entry, AccessMode::update, 0);
      ASSERT_TRUE(map_within(map));
    }
    Mapping map(entry, AccessMode::read, 0);
    EXPECT_EQ(code_of([&] { map.try_map(); }), Errc::lock_abandoned);
    write(entry, 0, 2);
    EXPECT_EQ(read(entry, 0).largest, 2u);
  });
}

TEST(CudaEntry, SharesASegmentWithOthersOfItsProducer) {
  in_process([] {
    const auto context = Context::host(testing::options());
    std::vector<std::shared_ptr<Entry>> entries;
    for (int i = 0; i < 8; ++i) entries.push_back(declare(*context, "v" + std::to_string(i)));
    for (std::uint32_t i = 0; i < 8; ++i) write(entries[i], 0, i);
    for (std::uint32_t i = 0; i < 8; ++i) {
      EXPECT_EQ(read(entries[i], 0).smallest, i);
      EXPECT_EQ(read(entries[i], 0).largest, i);
    }
    // One trial of what the device can do, and one segment.
    EXPECT_EQ(cuda::testing::calls_of("cuMemCreate"), 2u);
  });
}

TEST(CudaEntry, IsUsedAgainOnlyWhenNoDeviceWorksOnIt) {
  in_process([] {
    const auto context = Context::host(testing::options());
    for (std::uint32_t round = 1; round <= 200; ++round) {
      const auto entry = declare(*context, "volume", 1 << 20);
      const std::uintptr_t stream = round % 2;
      Mapping map(entry, AccessMode::write, stream);
      ASSERT_TRUE(map_within(map));
      fill(map, round, 500'000);
      map.commit();
      Seen seen;
      Mapping again(entry, AccessMode::read, stream);
      ASSERT_TRUE(map_within(again));
      look(again, seen, 300'000);
      again.commit();
      entry->free();
      if (round % 10 == 0) {
        synchronize(stream);
        ASSERT_EQ(seen.smallest, round);
        ASSERT_EQ(seen.largest, round);
      } else {
        synchronize(stream);
      }
    }
    EXPECT_LT(cuda::testing::calls_of("cuMemCreate"), 40u);
  });
}

TEST(CudaEntry, RefusesAStreamThatCapturesAGraph) {
  in_process([] {
    const auto context = Context::host(testing::options());
    const auto entry = declare(*context, "volume");
    const std::uintptr_t stream = new_stream();
    const auto capture = cuda::testing::fake_function<int(Stream, int)>("fakeCudaCapture");
    const cuda::CurrentContext current(cuda::Device::of_ordinal(0));
    EXPECT_EQ(capture(reinterpret_cast<Stream>(stream), 1), cuda::kSuccess);
    Mapping map(entry, AccessMode::write, stream);
    EXPECT_EQ(code_of([&] { map.try_map(); }), Errc::device);
    capture(reinterpret_cast<Stream>(stream), 0);
    write(entry, stream, 3);
    EXPECT_EQ(read(entry, stream).largest, 3u);
  });
}

TEST(CudaEntry, SaysWhyItsMemoryCannotBeShared) {
  const Environment none{{"FAKE_CUDA_ATTRIBUTES", "102=0"},
                         {"FAKE_CUDA_ERRORS", "cuIpcGetMemHandle=801"}};
  in_process(none, [] {
    const auto context = Context::host(testing::options());
    EXPECT_SAYS(declare(*context, "volume"), Errc::device_ipc_unavailable, "legacy");
    EXPECT_SAYS(declare(*context, "other"), Errc::device_ipc_unavailable, "fallback");
    const auto staged = declare(*context, "staged", kWords, true);
    write(staged, 0, 5);
    EXPECT_EQ(read(staged, 0).smallest, 5u);
    EXPECT_EQ(transport_info(*staged).memory, "host");
  });
}

TEST(CudaEntry, RunsOutOfMemoryWithWhatWasAskedFor) {
  in_process({{"FAKE_CUDA_MEMORY", std::to_string(256 << 20)}}, [] {
    const auto context = Context::host(testing::options());
    const auto small = declare(*context, "small");
    EXPECT_EQ(code_of([&] { declare(*context, "large", 1 << 28); }), Errc::out_of_memory);
    // What freed variables keep warm goes before anybody is refused.
    for (int i = 0; i < 6; ++i) {
      const auto entry = declare(*context, "w" + std::to_string(i), (20 + 4 * i) << 18);
      write(entry, 0, 1);
      EXPECT_EQ(read(entry, 0).smallest, 1u);
      entry->free();
    }
    write(small, 0, 9);
    EXPECT_EQ(read(small, 0).largest, 9u);
  });
}

TEST(CudaEntry, GivesPrivateMemoryZeroedWhenAsked) {
  in_process([] {
    const auto context = Context::host(testing::options());
    for (int i = 0; i < 20; ++i) {
      DeviceOptions options;
      options.zero = true;
      const auto entry = context->create_on_device(64 << 10, options);
      entry->describe(ElementType::uint32, testing::shape_of({16 << 10}));
      EXPECT_EQ(read(entry, 0).largest, 0u);
      write(entry, 0, 77);
    }
  });
}

TEST(CudaEntry, LeavesNothingBehind) {
  in_process([] {
    const int before = cuda::testing::traces_of_memory();
    {
      const auto context = Context::host(testing::options());
      const auto entry = declare(*context, "volume");
      write(entry, 0, 1);
      EXPECT_EQ(read(entry, 0).largest, 1u);
      EXPECT_GT(cuda::testing::traces_of_memory(), before);
    }
    EXPECT_TRUE(testing::becomes([&] { return cuda::testing::traces_of_memory() == before; }));
    EXPECT_EQ(cuda::testing::registered_nbytes(), 0u);
  });
}

TEST(CudaEntry, IsMappedByManyThreadsWithOneOpening) {
  in_process([] {
    const auto context = Context::host(testing::options());
    const auto entry = declare(*context, "volume");
    write(entry, 0, 1);
    std::atomic<int> wrong = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        const std::uintptr_t stream = new_stream();
        for (int round = 0; round < 50; ++round) {
          Seen seen;
          Mapping map(entry, AccessMode::read, stream);
          if (!map_within(map)) ++wrong;
          look(map, seen, 1000);
          map.commit();
          synchronize(stream);
          if (seen.smallest != 1 || seen.largest != 1) ++wrong;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong.load(), 0);
    EXPECT_EQ(driver_info().opens, 0u);
  });
}

}  // namespace
}  // namespace clara_fastio
