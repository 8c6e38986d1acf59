// SPDX-License-Identifier: Apache-2.0
#include <cstdint>

#include "fake_cuda_testing.hpp"
#include "peer_testing.hpp"

namespace fake_cuda::testing {
namespace {

constexpr unsigned kShared = kEventDisableTiming | kEventInterprocess;

Event create_event(unsigned flags) {
  Event event = nullptr;
  must(driver().event_create(&event, flags));
  return event;
}

/// A word of device memory that holds a stream back until `open()`.
struct Gate {
  Pointer word = 0;
  Stream opener = nullptr;

  Gate() {
    must(driver().stream_create(&opener, kStreamNonBlocking));
    must(driver().allocate(&word, sizeof(std::uint64_t)));
  }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  ~Gate() {
    driver().stream_destroy(opener);
    driver().free(word);
  }

  void hold(Stream stream) const { must(driver().stream_wait_value(stream, word, 1, 0)); }
  void open() const {
    must(driver().stream_write_value(opener, word, 1, 0));
    must(driver().stream_synchronize(opener));
  }
};

TEST(FakeCudaEvents, are_ready_when_the_stream_has_come_to_the_record) {
  const Session session;
  const Gate gate;
  const Event event = create_event(0);
  EXPECT_EQ(driver().event_query(event), kSuccess);
  gate.hold(nullptr);
  must(driver().event_record(event, nullptr));
  EXPECT_EQ(driver().event_query(event), kNotReady);
  gate.open();
  must(driver().stream_synchronize(nullptr));
  EXPECT_EQ(driver().event_query(event), kSuccess);
  must(driver().event_destroy(event));
  EXPECT_EQ(driver().event_destroy(event), kInvalidHandle);
}

TEST(FakeCudaEvents, are_waited_for_as_they_were_recorded_at_the_call) {
  const Session session;
  const Gate gate;
  const Event event = create_event(kEventDisableTiming);
  Stream waiter = nullptr;
  must(driver().stream_create(&waiter, kStreamNonBlocking));
  must(driver().stream_wait_event(waiter, event, 0));
  gate.hold(nullptr);
  must(driver().event_record(event, nullptr));
  // The record came after the call, so nothing holds the waiter back.
  EXPECT_EQ(driver().stream_synchronize(waiter), kSuccess);
  must(driver().stream_wait_event(waiter, event, 0));
  must(driver().event_destroy(event));
  EXPECT_EQ(driver().stream_query(waiter), kNotReady);
  gate.open();
  EXPECT_EQ(driver().stream_synchronize(waiter), kSuccess);
  must(driver().stream_synchronize(nullptr));
  must(driver().stream_destroy(waiter));
}

TEST(FakeCudaEvents, are_shared_only_without_timing) {
  const Session session;
  Event event = nullptr;
  EXPECT_EQ(driver().event_create(&event, kEventInterprocess), kInvalidValue);
  IpcHandle handle{};
  const Event own = create_event(kEventDisableTiming);
  EXPECT_EQ(driver().ipc_event_handle(&handle, own), kInvalidHandle);
  const Event shared = create_event(kShared);
  must(driver().ipc_event_handle(&handle, shared));
  EXPECT_EQ(driver().ipc_open_event(&event, handle), kInvalidContext);
  must(driver().event_destroy(own));
  must(driver().event_destroy(shared));
}

ROLE(records_a_shared_event) {
  const Session session;
  const Gate gate;
  const Event event = create_event(kShared);
  IpcHandle handle{};
  must(driver().ipc_event_handle(&handle, event));
  gate.hold(nullptr);
  must(driver().event_record(event, nullptr));
  channel.send(handle);
  (void)channel.receive<bool>();
  gate.open();
  must(driver().stream_synchronize(nullptr));
  (void)channel.receive<bool>();
  must(driver().event_destroy(event));
  channel.send(true);
  (void)channel.receive<bool>();
}

TEST(FakeCudaEvents, order_streams_of_different_processes) {
  const Session session;
  Peer peer("records_a_shared_event");
  const auto handle = peer.channel().receive<IpcHandle>();
  Event event = nullptr;
  must(driver().ipc_open_event(&event, handle));
  EXPECT_EQ(driver().event_query(event), kNotReady);
  must(driver().stream_wait_event(nullptr, event, 0));
  EXPECT_EQ(driver().stream_query(nullptr), kNotReady);
  peer.channel().send(true);
  EXPECT_EQ(driver().stream_synchronize(nullptr), kSuccess);
  EXPECT_EQ(driver().event_query(event), kSuccess);
  IpcHandle again{};
  EXPECT_EQ(driver().ipc_event_handle(&again, event), kInvalidHandle);
  must(driver().event_destroy(event));
  peer.channel().send(true);
  EXPECT_TRUE(peer.channel().receive<bool>());
  EXPECT_EQ(driver().ipc_open_event(&event, handle), kInvalidValue);
  peer.channel().send(true);
  EXPECT_EQ(peer.wait(), 0);
}

TEST(FakeCudaEvents, of_a_killed_process_stay_as_they_are_and_are_not_opened) {
  const Session session;
  Peer peer("records_a_shared_event");
  const auto handle = peer.channel().receive<IpcHandle>();
  Event event = nullptr;
  must(driver().ipc_open_event(&event, handle));
  peer.kill();
  EXPECT_EQ(driver().event_query(event), kNotReady);
  Event again = nullptr;
  EXPECT_EQ(driver().ipc_open_event(&again, handle), kInvalidHandle);
  must(driver().event_destroy(event));
}

}  // namespace
}  // namespace fake_cuda::testing

int main(int argc, char** argv) { return fake_cuda::testing::run_tests_or_role(argc, argv); }
