// SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>

#include <filesystem>
#include <fstream>

#include "fake_cuda_testing.hpp"
#include "peer_testing.hpp"

namespace fake_cuda::testing {
namespace {

/// Addresses with the memory behind them.
struct Mapped {
  Pointer pointer = 0;

  Mapped(MemoryHandle handle, int flags) {
    must(driver().reserve_address(&pointer, kStep, 0, 0, 0));
    must(driver().map_memory(pointer, kStep, 0, handle, 0));
    const MemoryAccess access{{kOnDevice, 0}, flags};
    must(driver().set_access(pointer, kStep, &access, 1));
  }
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;
  ~Mapped() {
    EXPECT_EQ(driver().unmap_memory(pointer, kStep), kSuccess);
    EXPECT_EQ(driver().free_address(pointer, kStep), kSuccess);
  }
};

void write_byte(Pointer pointer, unsigned char value) {
  must(driver().fill(pointer, value, kStep, nullptr));
  must(driver().stream_synchronize(nullptr));
}

int read_byte(Pointer pointer) {
  unsigned char byte = 0;
  must(driver().copy_to_host(&byte, pointer + kStep - 1, 1, nullptr));
  must(driver().stream_synchronize(nullptr));
  return byte;
}

std::size_t free_memory() {
  std::size_t free = 0;
  std::size_t total = 0;
  must(driver().memory_info(&free, &total));
  return free;
}

/// Descriptors and mappings of device memory that this process has.
std::size_t memory_held() {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;  // The listing's own descriptor.
    if (read_symlink(entry.path(), gone).string().starts_with("/memfd:fake-cuda:")) ++count;
  }
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find("/memfd:fake-cuda:") != std::string::npos) ++count;
  }
  return count;
}

TEST(FakeCudaMemory, maps_the_same_memory_twice_with_different_rights) {
  const Session session;
  const MemoryHandle handle = create();
  {
    const Mapped writing(handle, kReadWriteAccess);
    const Mapped reading(handle, kReadAccess);
    EXPECT_NE(writing.pointer, reading.pointer);
    write_byte(writing.pointer, 42);
    EXPECT_EQ(read_byte(reading.pointer), 42);
    EXPECT_EQ(driver().free_address(reading.pointer, kStep), kInvalidValue);
  }
  must(driver().release_memory(handle));
  EXPECT_EQ(driver().release_memory(handle), kInvalidValue);
  EXPECT_EQ(memory_held(), 0U);
}

TEST(FakeCudaMemory, keeps_memory_while_it_is_mapped) {
  const Session session;
  const std::size_t before = free_memory();
  const MemoryHandle handle = create();
  {
    const Mapped mapped(handle, kReadWriteAccess);
    must(driver().release_memory(handle));
    write_byte(mapped.pointer, 7);
    EXPECT_EQ(read_byte(mapped.pointer), 7);
    EXPECT_EQ(free_memory(), before - kStep);
  }
  EXPECT_EQ(free_memory(), before);
  EXPECT_EQ(memory_held(), 0U);
}

TEST(FakeCudaMemory, refuses_sizes_that_are_no_multiple_and_memory_that_it_has_not) {
  const Session session;
  const MemoryProperties properties = properties_of(0);
  std::size_t granularity = 0;
  must(driver().granularity(&granularity, &properties, kMinimumGranularity));
  EXPECT_EQ(granularity, kStep);
  MemoryHandle handle = 0;
  EXPECT_EQ(driver().create_memory(&handle, kStep - 1, &properties, 0), kInvalidValue);
  EXPECT_EQ(driver().create_memory(&handle, free_memory() + kStep, &properties, 0), kOutOfMemory);
  Pointer pointer = 0;
  EXPECT_EQ(driver().allocate(&pointer, free_memory() + 1), kOutOfMemory);
  const MemoryProperties elsewhere = properties_of(5);
  EXPECT_EQ(driver().create_memory(&handle, kStep, &elsewhere, 0), kInvalidDevice);
}

ROLE(imports_a_descriptor) {
  const Session session;
  const int fd = channel.receive_descriptor();
  MemoryHandle handle = 0;
  // The interface passes a descriptor as a pointer.
  auto* const shareable = reinterpret_cast<void*>(static_cast<std::uintptr_t>(fd));
  must(driver().import_memory(&handle, shareable, kAsDescriptor));
  ::close(fd);
  MemoryProperties properties{};
  must(driver().memory_properties(&properties, handle));
  EXPECT_EQ(name_of(properties.location.id), "Fake GPU 0");
  EXPECT_EQ(properties.location.id, 1);
  EXPECT_EQ(properties.handle_types, kAsDescriptor);
  const Mapped mapped(handle, kReadWriteAccess);
  must(driver().release_memory(handle));
  EXPECT_EQ(read_byte(mapped.pointer), 1);
  write_byte(mapped.pointer, 2);
  channel.send(true);
  (void)channel.receive<bool>();  // The exporter has nothing any more.
  EXPECT_EQ(read_byte(mapped.pointer), 3);
}

TEST(FakeCudaMemory, exports_memory_to_another_process_by_descriptor) {
  const Session session;
  const MemoryHandle handle = create();
  Peer peer("imports_a_descriptor", {"FAKE_CUDA_DEVICES=2", "CUDA_VISIBLE_DEVICES=1,0"});
  {
    const Mapped mapped(handle, kReadWriteAccess);
    write_byte(mapped.pointer, 1);
    int fd = -1;
    must(driver().export_memory(&fd, handle, kAsDescriptor, 0));
    peer.channel().send_descriptor(fd);
    ::close(fd);
    EXPECT_TRUE(peer.channel().receive<bool>());
    EXPECT_EQ(read_byte(mapped.pointer), 2);
    write_byte(mapped.pointer, 3);
  }
  must(driver().release_memory(handle));
  peer.channel().send(true);
  EXPECT_EQ(peer.wait(), 0);
}

TEST(FakeCudaMemory, imports_nothing_but_its_own_memory) {
  const Session session;
  const int fd = ::memfd_create("fake-cuda:0:0", MFD_CLOEXEC);
  ASSERT_EQ(::ftruncate(fd, kStep), 0);
  MemoryHandle handle = 0;
  for (const int wrong : {fd, -1}) {
    auto* const shareable = reinterpret_cast<void*>(static_cast<std::intptr_t>(wrong));
    EXPECT_EQ(driver().import_memory(&handle, shareable, kAsDescriptor), kInvalidValue);
  }
  ::close(fd);
  const MemoryProperties own = properties_of(0, 0);
  must(driver().create_memory(&handle, kStep, &own, 0));
  int exported = -1;
  EXPECT_EQ(driver().export_memory(&exported, handle, kAsDescriptor, 0), kInvalidValue);
  must(driver().release_memory(handle));
}

ROLE(opens_a_block) {
  const Session session;
  const auto handle = channel.receive<IpcHandle>();
  Pointer first = 0;
  Pointer second = 0;
  EXPECT_EQ(driver().ipc_open_memory(&first, handle, 0), kInvalidValue);
  must(driver().ipc_open_memory(&first, handle, kIpcLazyPeerAccess));
  must(driver().ipc_open_memory(&second, handle, kIpcLazyPeerAccess));
  EXPECT_EQ(first, second);
  EXPECT_EQ(driver().free(first), kInvalidValue);
  EXPECT_EQ(driver().ipc_close_memory(first), kSuccess);
  EXPECT_EQ(read_byte(first), 1);
  write_byte(first, 2);
  IpcHandle again{};
  EXPECT_EQ(driver().ipc_memory_handle(&again, first), kInvalidValue);
  EXPECT_EQ(driver().ipc_close_memory(first), kSuccess);
  EXPECT_EQ(driver().ipc_close_memory(first), kInvalidValue);
  channel.send(true);
  (void)channel.receive<bool>();  // The block is freed.
  EXPECT_EQ(driver().ipc_open_memory(&first, handle, kIpcLazyPeerAccess), kInvalidValue);
}

TEST(FakeCudaMemory, hands_a_block_to_another_process_and_counts_who_opens_it) {
  const Session session;
  Pointer pointer = 0;
  must(driver().allocate(&pointer, kStep));
  write_byte(pointer, 1);
  IpcHandle handle{};
  must(driver().ipc_memory_handle(&handle, pointer + 100));
  Peer peer("opens_a_block");
  peer.channel().send(handle);
  EXPECT_TRUE(peer.channel().receive<bool>());
  EXPECT_EQ(read_byte(pointer), 2);
  must(driver().free(pointer));
  EXPECT_EQ(driver().free(pointer), kInvalidValue);
  peer.channel().send(true);
  EXPECT_EQ(peer.wait(), 0);
  EXPECT_EQ(memory_held(), 0U);
}

TEST(FakeCudaMemory, opens_no_block_of_its_own_process_and_exports_no_mapped_memory) {
  const Session session;
  Pointer pointer = 0;
  must(driver().allocate(&pointer, 1));
  IpcHandle handle{};
  must(driver().ipc_memory_handle(&handle, pointer));
  Pointer opened = 0;
  EXPECT_EQ(driver().ipc_open_memory(&opened, handle, kIpcLazyPeerAccess), kInvalidContext);
  EXPECT_EQ(driver().ipc_open_memory(&opened, IpcHandle{}, kIpcLazyPeerAccess), kInvalidHandle);
  must(driver().free(pointer));
  const MemoryHandle memory = create();
  const Mapped mapped(memory, kReadWriteAccess);
  EXPECT_EQ(driver().ipc_memory_handle(&handle, mapped.pointer), kInvalidValue);
  must(driver().release_memory(memory));
}

ROLE(exports_a_block_and_waits) {
  const Session session;
  Pointer pointer = 0;
  must(driver().allocate(&pointer, kStep));
  write_byte(pointer, 9);
  IpcHandle handle{};
  must(driver().ipc_memory_handle(&handle, pointer));
  channel.send(handle);
  (void)channel.receive<bool>();
}

TEST(FakeCudaMemory, keeps_the_block_of_a_killed_process_and_opens_no_more_of_them) {
  const Session session;
  Peer peer("exports_a_block_and_waits");
  const auto handle = peer.channel().receive<IpcHandle>();
  Pointer pointer = 0;
  must(driver().ipc_open_memory(&pointer, handle, kIpcLazyPeerAccess));
  peer.kill();
  EXPECT_EQ(read_byte(pointer), 9);
  Pointer again = 0;
  EXPECT_EQ(driver().ipc_open_memory(&again, handle, kIpcLazyPeerAccess), kInvalidHandle);
  must(driver().ipc_close_memory(pointer));
  EXPECT_EQ(memory_held(), 0U);
}

}  // namespace
}  // namespace fake_cuda::testing

int main(int argc, char** argv) { return fake_cuda::testing::run_tests_or_role(argc, argv); }
