// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "clara_fastio/protocol.hpp"
#include "posix/unique_fd.hpp"

namespace clara_fastio::client {

/// An answer and the descriptors that came with it.
struct Answer {
  protocol::Message message;
  std::vector<posix::UniqueFd> fds;
};

/// The socket to the host: one request at a time, each with a deadline.
///
/// Thread safety: all members from any thread.
class Connection {
 public:
  explicit Connection(posix::UniqueFd socket) : socket_(std::move(socket)) {}

  /// Sends a request and waits for its answer.
  ///
  /// Throws: the error of the answer; `Errc::host_died`; `Errc::host_unresponsive` when nothing
  /// came within `deadline`.
  Answer request(protocol::Message message, int descriptor = -1,
                 std::chrono::milliseconds deadline = std::chrono::seconds(10));

  /// From now on the end of that process ends every wait.
  void watch(int host_pidfd) noexcept { host_pidfd_.store(host_pidfd); }
  void close() noexcept;
  /// The host hung up or died.
  void mark_dead() noexcept { is_dead_.store(true); }
  bool is_dead() const noexcept { return is_dead_.load(std::memory_order_relaxed); }
  const std::atomic<bool>& death() const noexcept { return is_dead_; }
  /// Throws: `Errc::host_died`.
  [[noreturn]] void throw_dead() const;

 private:
  Answer exchange(protocol::Message message, int descriptor, std::chrono::milliseconds deadline);
  Answer receive(std::uint32_t serial, std::chrono::milliseconds deadline);
  /// Takes the answer to a request that was given up on; the host allows only one in flight.
  void settle(std::chrono::milliseconds deadline);

  std::mutex mutex_;
  posix::UniqueFd socket_;
  std::atomic<int> host_pidfd_ = -1;
  std::atomic<bool> is_dead_ = false;
  std::uint32_t serial_ = 0;
  std::uint32_t unanswered_ = 0;   ///< serial of a request whose time was over
  bool lost_descriptors_ = false;  ///< some came with an answer that nobody waited for
};

}  // namespace clara_fastio::client
