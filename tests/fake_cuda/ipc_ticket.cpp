// SPDX-License-Identifier: Apache-2.0
#include "ipc_ticket.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <sstream>

namespace fake_cuda {
namespace {

constexpr std::uint64_t kMagic = 0x46414b4549504331;  // "FAKEIPC1"

struct Ticket {
  std::uint64_t magic = kMagic;
  std::int32_t pid = 0;
  std::int32_t fd = -1;
  std::uint64_t started = 0;  ///< of the process, so that its number used again is not it
  std::uint64_t inode = 0;    ///< so that the descriptor's number used again is not the file
  FileHeader header;
};
static_assert(sizeof(Ticket) <= sizeof(IpcHandle));

/// When the process started, in the system's ticks; 0 if it is dead, also if nobody waited for it.
std::uint64_t start_of(std::int32_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::size_t end_of_name = text.rfind(')');
  if (end_of_name == std::string::npos) return 0;
  std::istringstream fields(text.substr(end_of_name + 1));
  std::string state;
  fields >> state;
  if (state == "Z" || state == "X") return 0;
  std::string skipped;
  constexpr int kBetweenStateAndStart = 18;
  for (int field = 0; field < kBetweenStateAndStart; ++field) fields >> skipped;
  std::uint64_t started = 0;
  fields >> started;
  return started;
}

std::uint64_t inode_of(int fd) {
  struct stat status{};
  return ::fstat(fd, &status) == 0 ? status.st_ino : 0;
}

}  // namespace

IpcHandle ticket_for(const SharedFile& file) {
  Ticket ticket;
  ticket.pid = ::getpid();
  ticket.fd = file.fd();
  ticket.started = start_of(ticket.pid);
  ticket.inode = inode_of(file.fd());
  ticket.header = file.header();
  IpcHandle handle{};
  std::memcpy(handle.bytes, &ticket, sizeof ticket);
  return handle;
}

Result open_ticket(const IpcHandle& handle, FileKind kind, std::shared_ptr<SharedFile>* file) {
  Ticket ticket;
  std::memcpy(&ticket, handle.bytes, sizeof ticket);
  if (ticket.magic != kMagic) return kInvalidHandle;
  if (ticket.pid == ::getpid()) return kInvalidContext;
  if (start_of(ticket.pid) != ticket.started) return kInvalidHandle;
  const std::string path =
      "/proc/" + std::to_string(ticket.pid) + "/fd/" + std::to_string(ticket.fd);
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return start_of(ticket.pid) == ticket.started ? kInvalidValue : kInvalidHandle;
  if (inode_of(fd) != ticket.inode) {
    ::close(fd);
    return kInvalidValue;
  }
  *file = SharedFile::adopt(fd, kind);
  return *file ? kSuccess : kInvalidValue;
}

}  // namespace fake_cuda
