// SPDX-License-Identifier: Apache-2.0
#include "posix/memfd.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "clara_fastio/error.hpp"
#include "posix/system_error.hpp"

namespace clara_fastio::posix {
namespace {

// Older C libraries do not name it; Linux knows it since 6.3.
constexpr unsigned kNoExecSeal = 0x0008U;

// The kernel puts "memfd:" before it and allows NAME_MAX in all.
constexpr std::size_t kMaxName = 249;

std::string describe(int fd) { return "memfd " + std::to_string(fd); }

struct stat status_of(int fd) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) throw_system_error("fstat", describe(fd));
  return status;
}

}  // namespace

UniqueFd create_memfd(const std::string& name) {
  const std::string short_name = name.substr(0, kMaxName);
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  UniqueFd fd(::memfd_create(short_name.c_str(), kFlags | kNoExecSeal));
  if (!fd && errno == EINVAL) fd.reset(::memfd_create(short_name.c_str(), kFlags));
  if (!fd) throw_system_error("memfd_create", short_name);
  // The default lets every user who can reach /proc/<pid>/fd open it for writing.
  if (::fchmod(fd.get(), S_IRUSR | S_IWUSR) != 0) throw_system_error("fchmod", short_name);
  return fd;
}

void set_size(int fd, std::uint64_t nbytes) {
  if (::ftruncate(fd, static_cast<off_t>(nbytes)) != 0) {
    throw_system_error("ftruncate", describe(fd) + " to " + std::to_string(nbytes) + " bytes");
  }
}

void reserve(int fd, std::uint64_t offset, std::uint64_t nbytes) {
  int result = 0;
  do {
    result = ::fallocate(fd, 0, static_cast<off_t>(offset), static_cast<off_t>(nbytes));
  } while (result != 0 && errno == EINTR);
  if (result == 0) return;
  if (errno == ENOSPC) {
    throw Error(Errc::out_of_memory,
                describe(fd) + ": the system has no " + std::to_string(nbytes) +
                    " bytes of shared memory left; free some or ask for less",
                ENOSPC);
  }
  throw_system_error("fallocate", describe(fd) + ", " + std::to_string(nbytes) + " bytes");
}

namespace {

void add_seals(int fd, int bits) {
  if (::fcntl(fd, F_ADD_SEALS, bits) != 0) throw_system_error("fcntl(F_ADD_SEALS)", describe(fd));
}

}  // namespace

void seal_size(int fd) { add_seals(fd, F_SEAL_SHRINK | F_SEAL_GROW); }

void seal_future_write(int fd) { add_seals(fd, F_SEAL_FUTURE_WRITE); }

void seal_write(int fd) {
  if (::fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0) return;
  if (errno == EBUSY) {
    throw Error(Errc::seal,
                describe(fd) + ": a map that may write is still alive; unmap it before freezing",
                EBUSY);
  }
  throw_system_error("fcntl(F_ADD_SEALS)", describe(fd));
}

int seals(int fd) {
  const int bits = ::fcntl(fd, F_GET_SEALS);
  if (bits < 0) throw_system_error("fcntl(F_GET_SEALS)", describe(fd));
  return bits;
}

std::uint64_t size_of(int fd) { return static_cast<std::uint64_t>(status_of(fd).st_size); }

std::uint64_t inode_of(int fd) { return static_cast<std::uint64_t>(status_of(fd).st_ino); }

UniqueFd reopen_read_only(int fd) {
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  UniqueFd second(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!second && errno == ENOENT) second.reset(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!second) throw_system_error("open", describe(fd));
  return second;
}

}  // namespace clara_fastio::posix
