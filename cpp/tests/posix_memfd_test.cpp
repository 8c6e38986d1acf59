// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <filesystem>

#include "posix/memfd.hpp"
#include "posix_testing.hpp"

namespace clara_fastio::posix {
namespace {

using testing::open_descriptors;

constexpr std::uint64_t kSize = 256 * 1024;

UniqueFd make_segment() {
  UniqueFd fd = create_memfd("clara-fastio:test:1");
  set_size(fd.get(), kSize);
  reserve(fd.get(), 0, kSize);
  seal_size(fd.get());
  return fd;
}

TEST(Memfd, is_named_private_and_closed_on_exec) {
  const UniqueFd fd = create_memfd("clara-fastio:test:1");
  const std::string link = "/proc/self/fd/" + std::to_string(fd.get());
  EXPECT_EQ(std::filesystem::read_symlink(link), "/memfd:clara-fastio:test:1 (deleted)");
  struct stat status{};
  ASSERT_EQ(::fstat(fd.get(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
  EXPECT_EQ(::fcntl(fd.get(), F_GETFD), FD_CLOEXEC);
}

TEST(Memfd, cannot_be_made_executable_where_the_kernel_knows_the_seal) {
  const UniqueFd fd = create_memfd("clara-fastio:test:1");
  constexpr int kSealExec = 0x0020;
  if ((seals(fd.get()) & kSealExec) == 0) {
    // An older kernel: then the plain memfd must be there, without any seal.
    EXPECT_EQ(seals(fd.get()), 0);
    return;
  }
  EXPECT_REFUSED(::fchmod(fd.get(), 0700), EPERM);
}

TEST(Memfd, takes_names_longer_than_the_kernel_does) {
  EXPECT_TRUE(create_memfd(std::string(1000, 'n')));
}

TEST(Memfd, reserve_takes_the_memory_at_once) {
  const UniqueFd fd = create_memfd("clara-fastio:test:1");
  set_size(fd.get(), kSize);
  struct stat before{};
  ASSERT_EQ(::fstat(fd.get(), &before), 0);
  reserve(fd.get(), 0, kSize);
  struct stat after{};
  ASSERT_EQ(::fstat(fd.get(), &after), 0);
  EXPECT_EQ(before.st_blocks, 0);
  EXPECT_EQ(static_cast<std::uint64_t>(after.st_blocks) * 512, kSize);
  EXPECT_EQ(size_of(fd.get()), kSize);
}

TEST(Memfd, reserve_beyond_what_the_file_system_has_is_out_of_memory) {
  struct statvfs limits{};
  ASSERT_EQ(::statvfs("/dev/shm", &limits), 0);
  const UniqueFd fd(::open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  ASSERT_TRUE(fd);
  const std::uint64_t all = limits.f_blocks * limits.f_frsize;
  EXPECT_ERROR(reserve(fd.get(), 0, all + (1 << 20)), Errc::out_of_memory, ENOSPC);
}

TEST(Memfd, reserve_reports_a_range_beyond_the_largest_file) {
  const UniqueFd fd = create_memfd("clara-fastio:test:1");
  EXPECT_ERROR(reserve(fd.get(), INT64_MAX - 10, 4096), Errc::system, EFBIG);
}

TEST(Memfd, errors_name_the_call_and_the_descriptor) {
  try {
    set_size(-1, 4096);
    FAIL() << "a closed descriptor has a size";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "memfd -1 to 4096 bytes: ftruncate: Bad file descriptor");
  }
}

TEST(Memfd, size_seal_refuses_shrinking_and_growing) {
  const UniqueFd fd = make_segment();
  EXPECT_EQ(seals(fd.get()) & (F_SEAL_SHRINK | F_SEAL_GROW), F_SEAL_SHRINK | F_SEAL_GROW);
  EXPECT_ERROR(set_size(fd.get(), 4096), Errc::system, EPERM);
  EXPECT_ERROR(set_size(fd.get(), 2 * kSize), Errc::system, EPERM);
  EXPECT_ERROR(reserve(fd.get(), kSize, 4096), Errc::system, EPERM);
}

TEST(Memfd, seals_of_another_file_are_an_error) {
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  EXPECT_ERROR(seals(null.get()), Errc::system, EINVAL);
  EXPECT_ERROR(seal_size(null.get()), Errc::system, EINVAL);
}

TEST(Memfd, inode_tells_files_apart_and_descriptors_together) {
  const UniqueFd first = create_memfd("clara-fastio:test:1");
  const UniqueFd second = create_memfd("clara-fastio:test:1");
  const UniqueFd again = reopen_read_only(first.get());
  EXPECT_NE(inode_of(first.get()), inode_of(second.get()));
  EXPECT_EQ(inode_of(first.get()), inode_of(again.get()));
}

TEST(Memfd, read_only_descriptor_cannot_write_and_is_closed_on_exec) {
  const UniqueFd fd = make_segment();
  const UniqueFd reader = reopen_read_only(fd.get());
  EXPECT_EQ(::fcntl(reader.get(), F_GETFD), FD_CLOEXEC);
  EXPECT_REFUSED(::pwrite(reader.get(), "x", 1, 0), EBADF);
  EXPECT_ERROR(Map::of(reader.get(), 0, kSize, Access::read_write), Errc::system, EACCES);
}

TEST(Memfd, reopening_a_closed_descriptor_is_an_error) {
  const int number = create_memfd("clara-fastio:test:1").get();
  EXPECT_ERROR(reopen_read_only(number), Errc::system, EBADF);
}

TEST(Memfd, write_seal_is_refused_while_a_writable_map_lives) {
  const UniqueFd fd = make_segment();
  Map map = Map::of(fd.get(), 0, kSize, Access::read_write);
  EXPECT_ERROR(seal_write(fd.get()), Errc::seal, EBUSY);
  map.reset();
  seal_write(fd.get());
  EXPECT_NE(seals(fd.get()) & F_SEAL_WRITE, 0);
}

TEST(Memfd, frozen_map_keeps_address_and_content_and_allows_the_write_seal) {
  const UniqueFd fd = make_segment();
  Map map = Map::of(fd.get(), 65536, kSize - 65536, Access::read_write);
  std::byte* const address = map.data();
  address[7] = std::byte{42};
  seal_future_write(fd.get());
  map.freeze(reopen_read_only(fd.get()).get());
  seal_write(fd.get());
  EXPECT_EQ(map.data(), address);
  EXPECT_EQ(address[7], std::byte{42});
  EXPECT_REFUSED(::mprotect(address, 4096, PROT_READ | PROT_WRITE), EACCES);
}

TEST(Memfd, freezing_through_a_writable_descriptor_does_not_count_as_frozen) {
  const UniqueFd fd = make_segment();
  Map map = Map::of(fd.get(), 0, kSize, Access::read_write);
  map.freeze(fd.get());
  EXPECT_ERROR(seal_write(fd.get()), Errc::seal, EBUSY);
}

TEST(Memfd, nothing_leaks_when_calls_fail) {
  const UniqueFd fd = make_segment();
  const std::size_t before = open_descriptors();
  EXPECT_ERROR(Map::of(-1, 0, kSize, Access::read_only), Errc::system, EBADF);
  EXPECT_ERROR(Map::of(fd.get(), 1, kSize, Access::read_only), Errc::system, EINVAL);
  EXPECT_ERROR(reopen_read_only(-1), Errc::system, EBADF);
  EXPECT_EQ(open_descriptors(), before);
}

}  // namespace
}  // namespace clara_fastio::posix
