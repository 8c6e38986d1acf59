// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "posix/map.hpp"  // IWYU pragma: export
#include "posix/unique_fd.hpp"

namespace clara_fastio::posix {

/// Makes an empty memfd that can be sealed, is closed on exec and has mode 0600.
///
/// Where the kernel can (Linux 6.3) it can never be executed either.
///
/// `name` is only for people (`/proc/*/maps`); beyond 249 bytes it is cut off, as the kernel asks.
///
/// Throws: Errc::out_of_memory, Errc::system.
UniqueFd create_memfd(const std::string& name);

/// Sets the length in bytes without reserving memory.
///
/// Throws: Errc::system, with EPERM when the size is sealed.
void set_size(int fd, std::uint64_t nbytes);

/// Reserves memory for a range, so that touching it never raises SIGBUS. May take 50 ms for 64 MiB.
///
/// A range that was not reserved whole is given back. Under a memory cgroup the kernel kills rather
/// than refuses: ask memory_room() first.
///
/// Throws: Errc::out_of_memory for ENOSPC and ENOMEM, else Errc::system.
void reserve(int fd, std::uint64_t offset, std::uint64_t nbytes);

/// Seals against shrinking and growing, for every holder and for ever.
///
/// Throws: Errc::system.
void seal_size(int fd);

/// Refuses every new way to write, while maps that already may write still do.
///
/// Throws: Errc::system.
void seal_future_write(int fd);

/// Freezes the content for good.
///
/// Throws: Errc::seal while a map that may write lives anywhere (or a page is pinned for I/O),
/// else Errc::system.
void seal_write(int fd);

/// The seals as the F_SEAL_* bits of the kernel.
///
/// Throws: Errc::system, with EINVAL when `fd` is not a memfd.
int seals(int fd);

/// The length in bytes. Throws: Errc::system.
std::uint64_t size_of(int fd);

/// The inode number, by which two descriptors can be told to be one file. Throws: Errc::system.
std::uint64_t inode_of(int fd);

/// A second, read-only opening of the same file; where there is no /proc, a duplicate of `fd`.
///
/// Throws: Errc::system.
UniqueFd reopen_read_only(int fd);

}  // namespace clara_fastio::posix
