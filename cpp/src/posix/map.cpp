// SPDX-License-Identifier: Apache-2.0
#include "posix/map.hpp"

#include <sys/mman.h>

#include <utility>

#include "posix/fork_guard.hpp"
#include "posix/system_error.hpp"

namespace clara_fastio::posix {

Map Map::of(int fd, std::uint64_t offset, std::uint64_t nbytes, Access access, bool populate,
            bool inherit_on_fork) {
  Map map;
  if (nbytes == 0) return map;
  const int protection = access == Access::read_only ? PROT_READ : PROT_READ | PROT_WRITE;
  const int flags = MAP_SHARED | (populate ? MAP_POPULATE : 0);
  void* const address = ::mmap(nullptr, nbytes, protection, flags, fd, static_cast<off_t>(offset));
  if (address == MAP_FAILED) throw_system_error("mmap", "shared memory");
  map.data_ = static_cast<std::byte*>(address);
  map.nbytes_ = nbytes;
  map.offset_ = offset;
  map.generation_ = fork_generation();
  map.inherit_on_fork_ = inherit_on_fork;
  map.advise();
  return map;
}

Map::Map(Map&& other) noexcept { *this = std::move(other); }

Map& Map::operator=(Map&& other) noexcept {
  if (this == &other) return *this;
  reset();
  data_ = std::exchange(other.data_, nullptr);
  nbytes_ = std::exchange(other.nbytes_, 0);
  offset_ = other.offset_;
  generation_ = other.generation_;
  inherit_on_fork_ = other.inherit_on_fork_;
  return *this;
}

void Map::reset() noexcept {
  std::byte* const data = std::exchange(data_, nullptr);
  const std::uint64_t nbytes = std::exchange(nbytes_, 0);
  if (data == nullptr) return;
  // MADV_DONTFORK left no range in a forked child; whatever lies there now is not ours.
  if (!inherit_on_fork_ && generation_ != fork_generation()) return;
  ::munmap(data, nbytes);
}

void Map::populate() const noexcept {
#ifdef MADV_POPULATE_READ
  if (data_ != nullptr) (void)::madvise(data_, nbytes_, MADV_POPULATE_READ);
#endif
}

void Map::freeze(int read_only_fd) {
  if (data_ == nullptr) return;
  void* const address = ::mmap(data_, nbytes_, PROT_READ, MAP_SHARED | MAP_FIXED, read_only_fd,
                               static_cast<off_t>(offset_));
  if (address == MAP_FAILED) throw_system_error("mmap", "shared memory to be frozen");
  // The advice belonged to the map that was replaced.
  advise();
}

void Map::advise() const {
  if (::madvise(data_, nbytes_, MADV_DONTDUMP) != 0) {
    throw_system_error("madvise(MADV_DONTDUMP)", "shared memory");
  }
  if (!inherit_on_fork_ && ::madvise(data_, nbytes_, MADV_DONTFORK) != 0) {
    throw_system_error("madvise(MADV_DONTFORK)", "shared memory");
  }
}

}  // namespace clara_fastio::posix
