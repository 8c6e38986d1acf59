// SPDX-License-Identifier: Apache-2.0
// Device memory between two processes: the second one is this program again, with the one test
// that is disabled otherwise.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <span>
#include <vector>

#include "cuda/device_segment.hpp"
#include "cuda_testing.hpp"
#include "posix/socket.hpp"
#include "posix_testing.hpp"

namespace clara_fastio::cuda {
namespace {

using namespace testing;

constexpr std::uint64_t kNbytes = 2U << 20U;
constexpr int kSocket = 3;
constexpr std::chrono::milliseconds kPatience{30'000};

Device& device() { return Device::of_ordinal(0); }

// What the other process sends beside the descriptor.
struct Offer {
  IpcHandle handle;
};

// The other process, which makes a segment of each kind and waits for the end of the connection.
TEST(DeviceSegmentPeer, DISABLED_makes_segments) {
  const auto vmm = DeviceSegment::create(device(), Transport::vmm, kNbytes);
  const auto legacy = DeviceSegment::create(device(), Transport::legacy, kNbytes);
  std::memset(bytes_at(vmm->pointer()), 'v', kNbytes);
  std::memset(bytes_at(legacy->pointer()), 'l', kNbytes);
  const Offer offer{legacy->export_handle()};
  const posix::UniqueFd fd = vmm->export_descriptor();
  const int descriptor = fd.get();
  posix::send_message(kSocket, std::as_bytes(std::span(&offer, 1)), std::span(&descriptor, 1));
  posix::wait_readable(kSocket, -1, kPatience);
}

// Runs that process.
class Peer {
 public:
  Peer() {
    auto [ours, theirs] = posix::seqpacket_pair();
    socket_ = std::move(ours);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    // Never the same number, for which closing on exec would stay.
    if (theirs.get() == kSocket) theirs.reset(::fcntl(kSocket, F_DUPFD_CLOEXEC, kSocket + 1));
    ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), kSocket);
    ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    std::string program = "/proc/self/exe";
    std::string filter = "--gtest_filter=DeviceSegmentPeer.DISABLED_makes_segments";
    std::string disabled = "--gtest_also_run_disabled_tests";
    std::vector<char*> arguments{program.data(), filter.data(), disabled.data(), nullptr};
    EXPECT_EQ(::posix_spawn(&pid_, program.c_str(), &actions, nullptr, arguments.data(), environ),
              0);
    ::posix_spawn_file_actions_destroy(&actions);
    theirs.reset();
    receive();
  }
  ~Peer() { kill(); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  const Offer& offer() const { return offer_; }
  int descriptor() const { return descriptor_.get(); }

  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  void receive() {
    ASSERT_TRUE(posix::wait_readable(socket_.get(), -1, kPatience));
    auto received =
        posix::receive_message(socket_.get(), std::as_writable_bytes(std::span(&offer_, 1)));
    ASSERT_EQ(received.fds.size(), 1U);
    descriptor_ = std::move(received.fds[0]);
  }

  pid_t pid_ = -1;
  posix::UniqueFd socket_;
  posix::UniqueFd descriptor_;
  Offer offer_{};
};

TEST(DeviceSegmentPeers, share_memory_by_descriptor_and_by_handle) {
  in_process([] {
    const Peer peer;
    const auto vmm = DeviceSegment::import(device(), peer.descriptor(), kNbytes, true);
    EXPECT_EQ(bytes_at(vmm->pointer())[kNbytes - 1], 'v');
    EXPECT_TRUE(vmm->is_read_only());
    const auto legacy = DeviceSegment::import(device(), peer.offer().handle, kNbytes);
    EXPECT_EQ(bytes_at(legacy->pointer())[kNbytes - 1], 'l');
    EXPECT_EQ(legacy->transport(), Transport::legacy);
    EXPECT_EQ(legacy->nbytes(), kNbytes);
    EXPECT_TRUE(legacy->is_imported());
    EXPECT_FALSE(legacy->is_read_only());
  });
}

TEST(DeviceSegmentPeers, end_of_an_import_closes_it_and_leaves_the_makers_memory) {
  in_process([] {
    const Peer peer;
    for (int round = 0; round < 3; ++round) {
      auto vmm = DeviceSegment::import(device(), peer.descriptor(), kNbytes, false);
      auto legacy = DeviceSegment::import(device(), peer.offer().handle, kNbytes);
      EXPECT_EQ(bytes_at(vmm->pointer())[0], 'v');
      EXPECT_EQ(bytes_at(legacy->pointer())[0], 'l');
    }
    EXPECT_EQ(calls_of("cuIpcCloseMemHandle"), 3U);
    EXPECT_EQ(calls_of("cuMemFree_v2"), 0U);
    EXPECT_EQ(calls_of("cuMemUnmap"), 3U);
    EXPECT_EQ(traces_of_memory(), 1);  // The descriptor that the test itself holds.
  });
}

TEST(DeviceSegmentPeers, memory_with_a_descriptor_outlives_its_maker) {
  in_process([] {
    Peer peer;
    const auto before = DeviceSegment::import(device(), peer.descriptor(), kNbytes, true);
    peer.kill();
    EXPECT_EQ(bytes_at(before->pointer())[kNbytes - 1], 'v');
    const auto after = DeviceSegment::import(device(), peer.descriptor(), kNbytes, true);
    EXPECT_EQ(bytes_at(after->pointer())[0], 'v');
  });
}

TEST(DeviceSegmentPeers, handle_of_a_dead_process_is_refused) {
  in_process([] {
    Peer peer;
    peer.kill();
    EXPECT_SAYS(DeviceSegment::import(device(), peer.offer().handle, kNbytes),
                Errc::device_ipc_unavailable,
                "cannot import another process's memory: cuIpcOpenMemHandle failed: CUDA_ERROR_");
  });
}

TEST(DeviceSegmentPeers, handle_of_this_process_is_refused_with_the_reason) {
  in_process([] {
    const auto legacy = DeviceSegment::create(device(), Transport::legacy, kNbytes);
    EXPECT_SAYS(DeviceSegment::import(device(), legacy->export_handle(), kNbytes),
                Errc::device_ipc_unavailable,
                "CUDA_ERROR_INVALID_CONTEXT (invalid device context): a process opens no handle of "
                "its own, nor of one that has the same number in another PID namespace");
  });
}

TEST(DeviceSegmentPeers, import_that_is_refused_for_good_is_an_error_of_the_device) {
  in_process({{"FAKE_CUDA_ERRORS", "cuIpcOpenMemHandle_v2=700"}}, [] {
    const Peer peer;
    EXPECT_SAYS(DeviceSegment::import(device(), peer.offer().handle, kNbytes), Errc::cuda,
                "must be restarted");
  });
}

}  // namespace
}  // namespace clara_fastio::cuda
