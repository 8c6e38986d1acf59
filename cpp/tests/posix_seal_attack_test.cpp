// SPDX-License-Identifier: Apache-2.0
// What a consumer of the same user may try against a segment that its producer fills: facts about
// the kernel on which the promise "inputs are read-only" stands.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "posix/memfd.hpp"
#include "posix_testing.hpp"

namespace clara_fastio::posix {
namespace {

constexpr std::uint64_t kSize = 128 * 1024;

// The order of a segment's life: create, map for the producer, seal, then serve to others.
class SealAttack : public ::testing::Test {
 protected:
  SealAttack() {
    set_size(host_.get(), kSize);
    reserve(host_.get(), 0, kSize);
    seal_size(host_.get());
    producer_ = Map::of(host_.get(), 0, kSize, Access::read_write);
    std::memset(producer_.data(), 'p', kSize);
    seal_future_write(host_.get());
    served_ = reopen_read_only(host_.get());
    const std::string path = "/proc/self/fd/" + std::to_string(served_.get());
    reopened_ = UniqueFd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    reader_ = Map::of(served_.get(), 0, kSize, Access::read_only);
  }

  ~SealAttack() override {
    for (std::uint64_t i = 0; i < kSize; ++i) {
      if (reader_.data()[i] != std::byte{'p'}) {
        ADD_FAILURE() << "byte " << i << " was changed";
        return;
      }
    }
  }

  UniqueFd host_ = create_memfd("clara-fastio:test:1");
  Map producer_;
  UniqueFd served_;
  UniqueFd reopened_;
  Map reader_;
};

TEST_F(SealAttack, reopening_for_writing_succeeds_so_the_descriptor_is_no_barrier) {
  ASSERT_TRUE(reopened_);
}

TEST_F(SealAttack, mapping_for_writing_is_refused) {
  for (const int fd : {host_.get(), reopened_.get()}) {
    EXPECT_ERROR(Map::of(fd, 0, kSize, Access::read_write), Errc::system, EPERM);
  }
  EXPECT_ERROR(Map::of(served_.get(), 0, kSize, Access::read_write), Errc::system, EACCES);
}

TEST_F(SealAttack, writing_through_a_descriptor_is_refused) {
  for (const int fd : {host_.get(), reopened_.get()}) {
    EXPECT_REFUSED(::pwrite(fd, "x", 1, 0), EPERM);
  }
  EXPECT_REFUSED(::pwrite(served_.get(), "x", 1, 0), EBADF);
}

TEST_F(SealAttack, copying_into_the_file_in_the_kernel_is_refused) {
  UniqueFd source = create_memfd("clara-fastio:test:2");
  ASSERT_EQ(::pwrite(source.get(), "xxxx", 4, 0), 4);
  EXPECT_REFUSED(::copy_file_range(source.get(), nullptr, reopened_.get(), nullptr, 4, 0), EPERM);
}

TEST_F(SealAttack, raising_the_protection_of_a_read_only_map_is_refused) {
  const Map through_writable = Map::of(reopened_.get(), 0, kSize, Access::read_only);
  for (std::byte* const address : {reader_.data(), through_writable.data()}) {
    EXPECT_REFUSED(::mprotect(address, 4096, PROT_READ | PROT_WRITE), EACCES);
  }
}

TEST_F(SealAttack, writing_through_proc_mem_is_refused) {
  const UniqueFd memory(::open("/proc/self/mem", O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(memory);
  const auto address = reinterpret_cast<off_t>(reader_.data());
  EXPECT_REFUSED(::pwrite(memory.get(), "x", 1, address), EIO);
}

TEST_F(SealAttack, punching_a_hole_is_refused) {
  constexpr int kPunch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  for (const int fd : {host_.get(), reopened_.get()}) {
    EXPECT_REFUSED(::fallocate(fd, kPunch, 0, 4096), EPERM);
  }
  EXPECT_REFUSED(::fallocate(served_.get(), kPunch, 0, 4096), EBADF);
}

TEST_F(SealAttack, removing_pages_through_a_map_is_refused) {
  const Map through_writable = Map::of(reopened_.get(), 0, kSize, Access::read_only);
  for (std::byte* const address : {reader_.data(), through_writable.data()}) {
    EXPECT_REFUSED(::madvise(address, 4096, MADV_REMOVE), EACCES);
  }
}

TEST_F(SealAttack, dropping_pages_of_a_map_leaves_the_content) {
  EXPECT_EQ(::madvise(reader_.data(), kSize, MADV_DONTNEED), 0);
  // The destructor of the fixture reads every byte.
}

TEST_F(SealAttack, changing_the_size_is_refused) {
  EXPECT_REFUSED(::ftruncate(reopened_.get(), 0), EPERM);
  EXPECT_REFUSED(::ftruncate(reopened_.get(), 2 * kSize), EPERM);
  const std::string path = "/proc/self/fd/" + std::to_string(served_.get());
  EXPECT_REFUSED(::open(path.c_str(), O_RDWR | O_TRUNC | O_CLOEXEC), EPERM);
}

TEST_F(SealAttack, stopping_the_producer_with_a_write_seal_is_refused) {
  EXPECT_REFUSED(::fcntl(reopened_.get(), F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
}

TEST_F(SealAttack, old_map_of_the_producer_still_writes_and_others_see_it) {
  producer_.data()[100] = std::byte{'n'};
  EXPECT_EQ(reader_.data()[100], std::byte{'n'});
  producer_.data()[100] = std::byte{'p'};
}

TEST_F(SealAttack, producer_cannot_map_again_once_its_map_is_gone) {
  producer_.reset();
  EXPECT_ERROR(Map::of(host_.get(), 0, kSize, Access::read_write), Errc::system, EPERM);
}

TEST_F(SealAttack, private_copy_may_be_written_and_stays_private) {
  void* const copy = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE, served_.get(), 0);
  ASSERT_NE(copy, MAP_FAILED);
  std::memset(copy, 'x', kSize);
  ::munmap(copy, kSize);
}

}  // namespace
}  // namespace clara_fastio::posix
