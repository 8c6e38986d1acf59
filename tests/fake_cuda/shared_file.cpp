// SPDX-License-Identifier: Apache-2.0
#include "shared_file.hpp"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>

namespace fake_cuda {
namespace {

constexpr std::uint64_t kMagic = 0x46414b4547505531;  // "FAKEGPU1"
std::array<std::atomic<std::size_t>, 64> created;     // By physical number, modulo.

std::atomic<std::size_t>& created_on(int device) {
  return created[static_cast<std::size_t>(device) % created.size()];
}

std::string next_name(FileKind kind) {
  static std::atomic<unsigned> number = 0;
  return (kind == FileKind::event ? "fake-cuda-event:" : "fake-cuda:") +
         std::to_string(::getpid()) + ":" + std::to_string(number.fetch_add(1));
}

bool is_ours(int fd, FileKind kind, FileHeader* header) {
  struct stat status{};
  if (::fstat(fd, &status) != 0 || status.st_size < static_cast<off_t>(kHeaderSize)) return false;
  const off_t data = status.st_size - static_cast<off_t>(kHeaderSize);
  if (::pread(fd, header, sizeof *header, data) != sizeof *header) return false;
  return header->magic == kMagic && header->kind == kind &&
         header->nbytes == static_cast<std::uint64_t>(data);
}

}  // namespace

SharedFile::SharedFile(int fd, const FileHeader& header, bool is_creator)
    : fd_(fd), header_(header), is_creator_(is_creator) {
  if (is_creator_ && header_.kind != FileKind::event) {
    created_on(header_.device).fetch_add(header_.nbytes);
  }
}

SharedFile::~SharedFile() {
  ::close(fd_);
  if (is_creator_ && header_.kind != FileKind::event) {
    created_on(header_.device).fetch_sub(header_.nbytes);
  }
}

std::shared_ptr<SharedFile> SharedFile::create(const FileHeader& wanted) {
  FileHeader header = wanted;
  header.magic = kMagic;
  const int fd = ::memfd_create(next_name(header.kind).c_str(), MFD_CLOEXEC);
  if (fd < 0) return nullptr;
  const auto data = static_cast<off_t>(header.nbytes);
  if (::ftruncate(fd, data + static_cast<off_t>(kHeaderSize)) != 0 ||
      ::pwrite(fd, &header, sizeof header, data) != sizeof header) {
    ::close(fd);
    return nullptr;
  }
  return std::shared_ptr<SharedFile>(new SharedFile(fd, header, true));
}

std::shared_ptr<SharedFile> SharedFile::adopt(int fd, FileKind kind) {
  FileHeader header;
  if (!is_ours(fd, kind, &header)) {
    ::close(fd);
    return nullptr;
  }
  return std::shared_ptr<SharedFile>(new SharedFile(fd, header, false));
}

void* SharedFile::map(int rights, void* address, std::size_t nbytes) const {
  const int flags = MAP_SHARED | (address == nullptr ? 0 : MAP_FIXED);
  void* const result = ::mmap(address, nbytes, rights, flags, fd_, 0);
  return result == MAP_FAILED ? nullptr : result;
}

std::size_t SharedFile::created_bytes(int device) { return created_on(device).load(); }

}  // namespace fake_cuda
