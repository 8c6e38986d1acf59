// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace fake_cuda {

inline constexpr std::size_t kHeaderSize = 4096;

enum class FileKind : std::uint32_t { block = 1, allocation = 2, event = 3 };

/// The page behind the data of each file: what an importer has to know of it.
struct FileHeader {
  std::uint64_t magic = 0;
  FileKind kind = FileKind::block;
  std::int32_t device = 0;        ///< physical number
  std::uint64_t nbytes = 0;       ///< of the data
  std::int32_t handle_types = 0;  ///< as the memory was created with
};

/// Memory that processes share: a memfd with a header. Device memory is called
/// "fake-cuda:<pid>:<number>", the state of an event "fake-cuda-event:<pid>:<number>".
///
/// Lifetime: handles and mappings hold it; the kernel's object also lives in other processes.
/// Thread safety: immutable.
class SharedFile {
 public:
  /// Null when the system has no memory or descriptor left.
  static std::shared_ptr<SharedFile> create(const FileHeader& wanted);
  /// Takes over the descriptor; null if it is not one of ours and of that kind.
  static std::shared_ptr<SharedFile> adopt(int fd, FileKind kind);

  SharedFile(const SharedFile&) = delete;
  SharedFile& operator=(const SharedFile&) = delete;
  ~SharedFile();

  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] const FileHeader& header() const { return header_; }
  /// The data, mapped anew with these rights; null on failure. `address` is replaced if given.
  [[nodiscard]] void* map(int rights, void* address, std::size_t nbytes) const;

  /// Bytes that this process has created on a device and not given back.
  static std::size_t created_bytes(int device);

 private:
  SharedFile(int fd, const FileHeader& header, bool is_creator);

  int fd_;
  FileHeader header_;
  bool is_creator_;
};

}  // namespace fake_cuda
