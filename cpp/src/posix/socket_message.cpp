// SPDX-License-Identifier: Apache-2.0
// The messages of posix/socket.hpp, apart from the addresses.
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "clara_fastio/error.hpp"
#include "posix/socket.hpp"
#include "posix/system_error.hpp"

namespace clara_fastio::posix {
namespace {

constexpr std::size_t kFdBytes = kMaxMessageFds * sizeof(int);

// When the kernel adds no credentials, their place can hold descriptors beyond the limit.
constexpr std::size_t kControlBytes = CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(kFdBytes);

void attach_fds(msghdr& header, std::span<const int> fds) {
  header.msg_controllen = CMSG_SPACE(fds.size_bytes());
  cmsghdr* const control = CMSG_FIRSTHDR(&header);
  control->cmsg_level = SOL_SOCKET;
  control->cmsg_type = SCM_RIGHTS;
  control->cmsg_len = CMSG_LEN(fds.size_bytes());
  std::memcpy(CMSG_DATA(control), fds.data(), fds.size_bytes());
}

// Takes ownership of each descriptor before anything can fail, so that none leaks.
class FdCollector {
 public:
  void take(const cmsghdr& control) noexcept {
    const std::size_t count = (control.cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int number = -1;
      std::memcpy(&number, CMSG_DATA(&control) + i * sizeof(int), sizeof number);
      UniqueFd fd(number);
      if (count_ == fds_.size()) {
        overflowed_ = true;
      } else {
        fds_[count_++] = std::move(fd);
      }
    }
  }

  void hand_over(Received& received) {
    received.fds.reserve(count_);
    for (std::size_t i = 0; i < count_; ++i) received.fds.push_back(std::move(fds_[i]));
    received.truncated = received.truncated || overflowed_;
  }

 private:
  std::array<UniqueFd, kMaxMessageFds> fds_;
  std::size_t count_ = 0;
  bool overflowed_ = false;
};

Credentials read_credentials(const cmsghdr& control) noexcept {
  ucred found{};
  std::memcpy(&found, CMSG_DATA(&control), sizeof found);
  return {found.pid, found.uid, found.gid};
}

void take_control(msghdr& header, Received& received) {
  FdCollector collector;
  for (cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr;
       control = CMSG_NXTHDR(&header, control)) {
    if (control->cmsg_level != SOL_SOCKET) continue;
    if (control->cmsg_type == SCM_RIGHTS) collector.take(*control);
    if (control->cmsg_type == SCM_CREDENTIALS) received.credentials = read_credentials(*control);
  }
  collector.hand_over(received);
}

Received closed() {
  Received received;
  received.result = IoResult::closed;
  return received;
}

}  // namespace

IoResult send_message(int fd, std::span<const std::byte> message, std::span<const int> fds) {
  if (message.empty() || fds.size() > kMaxMessageFds) {
    throw Error(Errc::invalid_argument, "a message has at least one byte and at most " +
                                            std::to_string(kMaxMessageFds) + " descriptors");
  }
  // sendmsg() only reads what the vector points to, but its type does not say so.
  iovec part{const_cast<std::byte*>(message.data()), message.size()};
  alignas(cmsghdr) std::array<std::byte, kControlBytes> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (!fds.empty()) {
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    attach_fds(header, fds);
  }
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return IoResult::ok;
  if (errno == EAGAIN) return IoResult::would_block;
  if (errno == EPIPE || errno == ECONNRESET) return IoResult::closed;
  throw_system_error("sendmsg", "connection");
}

Received receive_message(int fd, std::span<std::byte> buffer) {
  iovec part{buffer.data(), buffer.size()};
  alignas(cmsghdr) std::array<std::byte, kControlBytes> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t got = 0;
  do {
    got = ::recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got < 0) {
    if (errno == EAGAIN) return {};
    if (errno == ECONNRESET) return closed();
    throw_system_error("recvmsg", "connection");
  }
  Received received;
  received.result = IoResult::ok;
  received.nbytes = static_cast<std::size_t>(got);
  received.truncated = (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
  take_control(header, received);
  // The end of a connection and an empty message look the same; both end it, and no descriptor of
  // an empty message is kept.
  return got == 0 ? closed() : std::move(received);
}

}  // namespace clara_fastio::posix
