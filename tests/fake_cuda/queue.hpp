// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <random>

#include "abi.hpp"

namespace fake_cuda {

/// A stream: operations that one thread runs in order, each after a random delay.
///
/// Lifetime: its thread holds it, from the first operation until it is closed and empty; nothing
/// joins the thread, so that a process may end while it waits.
/// Thread safety: any thread.
class Queue : public std::enable_shared_from_this<Queue> {
 public:
  using Operation = std::function<void()>;

  static std::shared_ptr<Queue> create();

  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  /// Unique in the process, never used again.
  [[nodiscard]] std::uint64_t id() const { return id_; }

  void push(Operation operation);
  /// What is queued still runs.
  void close();
  /// Waits for what was queued before the call.
  Result synchronize();
  Result query();

  void set_capturing(bool on) { is_capturing_ = on; }
  [[nodiscard]] bool is_capturing() const { return is_capturing_; }

 private:
  Queue();

  void run();
  void delay();

  const std::uint64_t id_;
  std::atomic<bool> is_capturing_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Operation> waiting_;
  std::uint64_t pushed_ = 0;
  std::uint64_t done_ = 0;
  bool is_started_ = false;
  bool is_closed_ = false;
  std::mt19937_64 random_;  ///< of the thread
};

/// Sleeps longer each time, up to 200 microseconds.
class Backoff {
 public:
  void sleep();

 private:
  unsigned microseconds_ = 1;
};

}  // namespace fake_cuda
