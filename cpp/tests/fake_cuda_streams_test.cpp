// SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>

#include <cstdint>
#include <thread>

#include "fake_cuda_testing.hpp"
#include "peer_testing.hpp"

namespace fake_cuda::testing {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kWords = 4096;
constexpr std::uint64_t kSlow = 50'000'000;  ///< Nanoseconds, long beside the random delays.

struct Sum {
  std::uint32_t smallest = 0;
  std::uint32_t largest = 0;
};

/// A stream, and a kernel's memory.
struct Lane {
  Stream stream = nullptr;

  Lane() { must(driver().stream_create(&stream, kStreamNonBlocking)); }
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;
  ~Lane() { driver().stream_destroy(stream); }
};

Pointer allocate_words() {
  Pointer pointer = 0;
  must(driver().allocate(&pointer, kWords * sizeof(std::uint32_t)));
  must(driver().fill(pointer, 0, kWords * sizeof(std::uint32_t), nullptr));
  must(driver().stream_synchronize(nullptr));
  return pointer;
}

Sum sum_of(Pointer pointer, Stream stream = nullptr) {
  Sum sum;
  must(driver().sum_words(stream, pointer, kWords, 0, &sum.smallest, &sum.largest));
  must(driver().stream_synchronize(stream));
  return sum;
}

/// A page of words that streams may use, shared with other processes by its descriptor.
struct Timeline {
  int fd = -1;
  std::uint64_t* words = nullptr;

  explicit Timeline(int shared) : fd(shared) {
    if (::ftruncate(fd, kPage) != 0) throw std::runtime_error("ftruncate");
    void* const address = ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    words = static_cast<std::uint64_t*>(address);
    must(driver().register_host(words, kPage, kRegisterPortable | kRegisterDeviceMap));
  }
  Timeline() : Timeline(::memfd_create("timeline", MFD_CLOEXEC)) {}
  Timeline(const Timeline&) = delete;
  Timeline& operator=(const Timeline&) = delete;
  ~Timeline() {
    driver().unregister_host(words);
    ::munmap(words, kPage);
    ::close(fd);
  }

  [[nodiscard]] Pointer at(std::size_t index) const {
    return reinterpret_cast<Pointer>(words + index);
  }
};

TEST(FakeCudaStreams, run_their_operations_in_order) {
  const Session session;
  const Lane lane;
  const Pointer pointer = allocate_words();
  const Pointer other = allocate_words();
  must(driver().fill_words(lane.stream, pointer, kWords, 5, 1'000'000));
  must(driver().add_words(lane.stream, other, pointer, kWords, 2, 1'000'000));
  must(driver().copy_on_device(pointer, other, kWords * sizeof(std::uint32_t), lane.stream));
  const Sum sum = sum_of(pointer, lane.stream);
  EXPECT_EQ(sum.smallest, 7U);
  EXPECT_EQ(sum.largest, 7U);
  EXPECT_EQ(driver().stream_query(lane.stream), kSuccess);
  must(driver().free(pointer));
  must(driver().free(other));
}

TEST(FakeCudaStreams, show_a_torn_state_to_each_other_without_an_order) {
  const Session session;
  const Lane writer;
  const Lane reader;
  const Pointer pointer = allocate_words();
  Sum sum;
  bool is_torn = false;
  must(driver().fill_words(writer.stream, pointer, kWords, 1, kSlow));
  while (driver().stream_query(writer.stream) == kNotReady) {
    sum = sum_of(pointer, reader.stream);
    is_torn = is_torn || sum.smallest != sum.largest;
  }
  EXPECT_TRUE(is_torn);
  EXPECT_EQ(sum_of(pointer).smallest, 1U);
  must(driver().free(pointer));
}

TEST(FakeCudaStreams, have_numbers_of_their_own_also_per_thread) {
  const Session session;
  const auto id_of = [](Stream stream) {
    unsigned long long id = 0;
    must(driver().stream_id(stream, &id));
    return id;
  };
  unsigned long long destroyed = 0;
  {
    const Lane lane;
    destroyed = id_of(lane.stream);
  }
  const Lane lane;
  EXPECT_NE(id_of(lane.stream), destroyed);
  EXPECT_EQ(id_of(nullptr), id_of(kLegacyStream));
  EXPECT_EQ(id_of(kPerThreadStream), id_of(kPerThreadStream));
  EXPECT_NE(id_of(kPerThreadStream), id_of(nullptr));
  unsigned long long elsewhere = 0;
  std::thread([&] {
    must(driver().context_push(session.context));
    elsewhere = id_of(kPerThreadStream);
  }).join();
  EXPECT_NE(elsewhere, id_of(kPerThreadStream));
  EXPECT_EQ(driver().stream_query(reinterpret_cast<Stream>(0x1234)), 400);
}

TEST(FakeCudaStreams, finish_what_is_queued_when_they_are_destroyed) {
  const Session session;
  const Timeline timeline;
  const Lane lane;
  {
    const Lane gone;
    must(driver().stream_wait_value(gone.stream, timeline.at(0), 1, kWaitGreaterEqual));
    must(driver().stream_write_value(gone.stream, timeline.at(1), 1, 0));
  }
  must(driver().stream_write_value(lane.stream, timeline.at(0), 1, 0));
  must(driver().stream_wait_value(lane.stream, timeline.at(1), 1, kWaitGreaterEqual));
  EXPECT_EQ(driver().stream_synchronize(lane.stream), kSuccess);
}

TEST(FakeCudaStreams, wait_for_words_that_other_streams_write) {
  const Session session;
  const Timeline timeline;
  const Lane writer;
  const Lane reader;
  const Pointer pointer = allocate_words();
  must(driver().stream_wait_value(reader.stream, timeline.at(0), 3, kWaitGreaterEqual));
  EXPECT_EQ(driver().stream_query(reader.stream), kNotReady);
  must(driver().fill_words(writer.stream, pointer, kWords, 8, kSlow));
  must(driver().stream_write_value(writer.stream, timeline.at(0), 4, 0));
  EXPECT_EQ(sum_of(pointer, reader.stream).smallest, 8U);
  must(driver().free(pointer));
}

TEST(FakeCudaStreams, refuse_words_that_are_not_theirs) {
  const Session session;
  const Timeline timeline;
  std::uint64_t unregistered = 0;
  const auto elsewhere = reinterpret_cast<Pointer>(&unregistered);
  EXPECT_EQ(driver().stream_write_value(nullptr, elsewhere, 1, 0), kInvalidValue);
  EXPECT_EQ(driver().stream_wait_value(nullptr, elsewhere, 1, 0), kInvalidValue);
  EXPECT_EQ(driver().stream_write_value(nullptr, timeline.at(0) + 4, 1, 0), kInvalidValue);
  constexpr unsigned kWaitEqual = 1;
  EXPECT_EQ(driver().stream_wait_value(nullptr, timeline.at(0), 1, kWaitEqual), kNotSupported);
}

ROLE(promises_a_word_and_waits) {
  const Session session;
  const Timeline timeline(channel.receive_descriptor());
  must(driver().stream_wait_value(nullptr, timeline.at(0), 1, kWaitGreaterEqual));
  must(driver().stream_write_value(nullptr, timeline.at(1), 1, 0));
  channel.send(true);
  (void)channel.receive<bool>();
  must(driver().stream_synchronize(nullptr));
}

TEST(FakeCudaStreams, order_processes_by_words) {
  const Session session;
  const Timeline timeline;
  Peer peer("promises_a_word_and_waits");
  peer.channel().send_descriptor(timeline.fd);
  EXPECT_TRUE(peer.channel().receive<bool>());
  must(driver().stream_wait_value(nullptr, timeline.at(1), 1, kWaitGreaterEqual));
  EXPECT_EQ(driver().stream_query(nullptr), kNotReady);
  const Lane lane;
  must(driver().stream_write_value(lane.stream, timeline.at(0), 1, 0));
  EXPECT_EQ(driver().stream_synchronize(nullptr), kSuccess);
  peer.channel().send(true);
  EXPECT_EQ(peer.wait(), 0);
}

TEST(FakeCudaStreams, of_a_killed_process_write_nothing_any_more) {
  const Session session;
  const Timeline timeline;
  Peer peer("promises_a_word_and_waits");
  peer.channel().send_descriptor(timeline.fd);
  EXPECT_TRUE(peer.channel().receive<bool>());
  peer.kill();
  must(driver().stream_write_value(nullptr, timeline.at(0), 1, 0));
  must(driver().stream_synchronize(nullptr));
  EXPECT_EQ(__atomic_load_n(timeline.words + 1, __ATOMIC_ACQUIRE), 0U);
}

ROLE(ends_with_a_stream_that_waits) {
  const Session session;
  static const Timeline* const timeline = new Timeline;  // The stream still looks at it.
  must(driver().stream_wait_value(nullptr, timeline->at(0), 1, kWaitGreaterEqual));
  must(driver().stream_write_value(kPerThreadStream, timeline->at(1), 1, 0));
}

TEST(FakeCudaStreams, let_the_process_end_while_they_wait) {
  for (int round = 0; round < 5; ++round) {
    EXPECT_EQ(run_role("ends_with_a_stream_that_waits"), 0);
  }
}

TEST(FakeCudaStreams, take_no_operation_while_they_capture) {
  const Session session;
  const Timeline timeline;
  const Lane lane;
  must(driver().capture(lane.stream, 1));
  int status = 0;
  must(driver().stream_capturing(lane.stream, &status));
  EXPECT_EQ(status, 1);
  EXPECT_EQ(driver().stream_wait_value(lane.stream, timeline.at(0), 1, 0), kCaptureUnsupported);
  EXPECT_EQ(driver().stream_write_value(lane.stream, timeline.at(0), 1, 0), kCaptureUnsupported);
  EXPECT_EQ(driver().stream_synchronize(lane.stream), kCaptureUnsupported);
  must(driver().capture(lane.stream, 0));
  must(driver().stream_capturing(lane.stream, &status));
  EXPECT_EQ(status, kCaptureNone);
  EXPECT_EQ(driver().stream_synchronize(lane.stream), kSuccess);
}

ROLE(writes_where_it_may_only_read) {
  const Session session;
  const MemoryHandle handle = create();
  Pointer pointer = 0;
  must(driver().reserve_address(&pointer, kStep, 0, 0, 0));
  must(driver().map_memory(pointer, kStep, 0, handle, 0));
  const MemoryAccess read{{kOnDevice, 0}, kReadAccess};
  must(driver().set_access(pointer, kStep, &read, 1));
  EXPECT_EQ(sum_of(pointer).largest, 0U);
  bool has_run = false;
  must(driver().fill_words(nullptr, pointer, kWords, 1, 0));
  driver().launch_host_function(
      nullptr, [](void* data) { *static_cast<bool*>(data) = true; }, &has_run);
  EXPECT_EQ(driver().stream_synchronize(nullptr), kIllegalAddress);
  EXPECT_EQ(driver().stream_query(kPerThreadStream), kIllegalAddress);
  EXPECT_FALSE(has_run);
  EXPECT_EQ(*reinterpret_cast<const std::uint32_t*>(pointer), 0U);
  EXPECT_EQ(driver().unmap_memory(pointer, kStep), kSuccess);
}

ROLE(touches_what_is_not_there) {
  const Session session;
  const Pointer pointer = allocate_words();
  must(driver().fill_words(nullptr, pointer, kWords + 1024, 1, 0));
  EXPECT_EQ(driver().stream_synchronize(nullptr), kIllegalAddress);
}

ROLE(frees_what_a_kernel_uses) {
  const Session session;
  const Pointer pointer = allocate_words();
  must(driver().fill_words(nullptr, pointer, kWords, 1, kSlow));
  must(driver().free(pointer));
  EXPECT_EQ(driver().stream_synchronize(nullptr), kIllegalAddress);
}

TEST(FakeCudaStreams, spoil_the_context_for_good_when_a_kernel_is_wrong) {
  EXPECT_EQ(run_role("writes_where_it_may_only_read"), 0);
  EXPECT_EQ(run_role("touches_what_is_not_there"), 0);
  EXPECT_EQ(run_role("frees_what_a_kernel_uses"), 0);
}

}  // namespace
}  // namespace fake_cuda::testing

int main(int argc, char** argv) { return fake_cuda::testing::run_tests_or_role(argc, argv); }
