// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "posix/unique_fd.hpp"

namespace clara_fastio::posix {

/// Connections that may wait to be accepted.
inline constexpr int kBacklog = 256;

/// Descriptors that one message may carry.
inline constexpr std::size_t kMaxMessageFds = 4;

/// Bytes of an abstract name, and of a path, that a socket address has room for.
inline constexpr std::size_t kMaxSocketName = 107;

/// How long a connect waits for a host whose queue of connections is full.
inline constexpr std::chrono::milliseconds kConnectTimeout{10'000};

/// Who is on the other side. `pid` is 0 when the process lives in a pid namespace we cannot see.
struct Credentials {
  pid_t pid;
  uid_t uid;
  gid_t gid;
};

/// What became of a message.
enum class IoResult { ok, would_block, closed };

/// One received message, or why there is none.
struct Received {
  IoResult result = IoResult::would_block;
  /// Bytes written to the buffer.
  std::size_t nbytes = 0;
  /// At most kMaxMessageFds; all are closed on exec.
  std::vector<UniqueFd> fds;
  /// Filled in by the kernel when enable_credentials() was called before the message was sent.
  std::optional<Credentials> credentials;
  /// Bytes or descriptors were lost: the buffer was too small, there were too many descriptors, or
  /// this process has no descriptor free.
  bool truncated = false;
};

/// Makes two connected SEQPACKET sockets, closed on exec.
///
/// peer_credentials() of both name the process that called this, not the one that inherits an end.
///
/// Throws: Errc::system.
std::pair<UniqueFd, UniqueFd> seqpacket_pair();

/// Listens on an abstract name, which is gone with its last descriptor. Never blocks in accept.
///
/// Throws: Errc::already_exists when somebody listens there, else Errc::system.
UniqueFd listen_abstract(std::string_view name);

/// Connects to an abstract name.
///
/// Throws: Errc::not_found when nobody listens; Errc::host_unresponsive when the listener's queue
/// stayed full for `timeout`; else Errc::system.
UniqueFd connect_abstract(std::string_view name,
                          std::chrono::milliseconds timeout = kConnectTimeout);

/// Listens on a socket file in a directory, whatever the length of the directory's path.
///
/// Requires: `file` is a plain file name; /proc is mounted.
/// Throws: Errc::already_exists when the file is there, living or left over, else Errc::system.
UniqueFd listen_path(int directory_fd, const std::string& file);

/// Connects to a socket file in a directory.
///
/// Throws: as connect_abstract().
UniqueFd connect_path(int directory_fd, const std::string& file,
                      std::chrono::milliseconds timeout = kConnectTimeout);

/// Takes one waiting connection, non-blocking and closed on exec; nothing when none waits.
///
/// Throws: Errc::system, with EMFILE when this process has no descriptor free.
std::optional<UniqueFd> accept_connection(int fd);

/// Who connected, or who listened, at the time of the connect. Throws: Errc::system.
Credentials peer_credentials(int fd);

/// Has the kernel add the sender's credentials to each message received from now on.
///
/// Throws: Errc::system.
void enable_credentials(int fd);

/// Sends one message, whole or not at all. Never waits and never raises SIGPIPE.
///
/// Requires: a message that is not empty; at most kMaxMessageFds descriptors.
/// Throws: Errc::system for all but a full queue and a closed peer.
IoResult send_message(int fd, std::span<const std::byte> message, std::span<const int> fds = {});

/// Takes one message. Never waits. An empty message counts as closed.
///
/// Throws: Errc::system.
Received receive_message(int fd, std::span<std::byte> buffer);

/// Waits until `fd` is readable or closed; true then.
///
/// False when the time is over, or when `other_fd` (a pidfd; -1 for none) becomes readable first.
/// A negative timeout is for ever. Goes on after a signal; wait in slices where signals count.
///
/// Throws: Errc::system.
bool wait_readable(int fd, int other_fd, std::chrono::milliseconds timeout);

/// The abstract names that begin with `prefix` and are listened on, sorted. Throws: Errc::system.
std::vector<std::string> list_abstract(std::string_view prefix);

/// list_abstract() on the text of a /proc/net/unix.
std::vector<std::string> parse_abstract_names(std::string_view text, std::string_view prefix);

/// Memory in bytes, with the kernel's overhead, of messages that were sent over `fd` and that the
/// peer has not read yet; 0 when there are none or that cannot be told.
std::size_t unread_bytes(int fd) noexcept;

}  // namespace clara_fastio::posix
