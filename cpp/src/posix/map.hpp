// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace clara_fastio::posix {

/// What a map may do with its bytes.
enum class Access { read_only, read_write };

/// Owns one range of shared memory that a descriptor backs.
///
/// The range is never part of a core dump (MADV_DONTDUMP). The descriptor may be closed right after
/// the map was made. A zero-length map is legal and has no address.
///
/// Lifetime: move-only; the range is unmapped when the object dies. In a forked child a map made
/// with `inherit_on_fork=false` does nothing when it dies, because the child never had the range
/// and something else may lie there by then.
/// Thread safety: none; the bytes themselves are as safe as their users make them.
class Map {
 public:
  Map() noexcept = default;

  /// Maps `nbytes` of `fd` from `offset`, a multiple of the page size.
  ///
  /// `populate` has the kernel enter all pages into the page table at once.
  /// `inherit_on_fork=false` keeps the range out of forked children (MADV_DONTFORK).
  ///
  /// Throws: Errc::out_of_memory when address space or maps run out, else Errc::system.
  static Map of(int fd, std::uint64_t offset, std::uint64_t nbytes, Access access,
                bool populate = false, bool inherit_on_fork = true);

  Map(Map&& other) noexcept;
  Map& operator=(Map&& other) noexcept;
  Map(const Map&) = delete;
  Map& operator=(const Map&) = delete;
  ~Map() { reset(); }

  /// First byte; nullptr when nothing is mapped.
  [[nodiscard]] std::byte* data() const noexcept { return data_; }

  /// Length in bytes.
  [[nodiscard]] std::uint64_t size() const noexcept { return nbytes_; }

  /// Has the kernel enter all pages into the page table now. Where it cannot, they come when they
  /// are touched.
  void populate() const noexcept;

  /// Unmaps now. Fine to call twice.
  void reset() noexcept;

  /// Puts a read-only map of the same bytes over this range, at the same address, for good.
  ///
  /// Only with a descriptor opened read-only does the kernel stop counting the range as a writer,
  /// which F_SEAL_WRITE asks for; see reopen_read_only().
  ///
  /// Requires: `read_only_fd` is a descriptor of the file that is mapped here.
  /// Throws: Errc::out_of_memory, Errc::system.
  void freeze(int read_only_fd);

 private:
  void advise() const;

  std::byte* data_ = nullptr;
  std::uint64_t nbytes_ = 0;
  std::uint64_t offset_ = 0;
  std::uint64_t generation_ = 0;
  bool inherit_on_fork_ = true;
};

}  // namespace clara_fastio::posix
