// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "posix/event_fd.hpp"
#include "posix/unique_fd.hpp"

namespace clara_fastio::host {

/// Memory that a worker reserved, or why it could not.
struct Reservation {
  std::uint64_t ticket = 0;
  posix::UniqueFd fd;
  std::exception_ptr failure;
};

/// Threads that reserve and close memory, so that the thread that serves never does: the kernel
/// takes a second for a few gigabytes.
///
/// Thread safety: all members from any thread.
class Workers {
 public:
  explicit Workers(std::string context_name);
  ~Workers();

  /// Reserves `nbytes` in a new memfd sealed against a change of its size.
  void reserve(std::uint64_t ticket, std::uint64_t nbytes);
  void close(posix::UniqueFd fd);
  /// Readable when `finished()` has something.
  int ready_fd() const noexcept { return ready_.fd(); }
  std::vector<Reservation> finished();

 private:
  struct Job {
    std::uint64_t ticket = 0;
    std::uint64_t nbytes = 0;
    posix::UniqueFd to_close;
  };

  void work();
  void enqueue(Job job);
  posix::UniqueFd reserve_now(const Job& job);

  const std::string context_name_;
  posix::EventFd ready_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::deque<Job> jobs_;
  std::vector<Reservation> done_;
  std::vector<std::thread> threads_;
};

}  // namespace clara_fastio::host
