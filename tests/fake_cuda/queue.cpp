// SPDX-License-Identifier: Apache-2.0
#include "queue.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

#include "fault.hpp"
#include "settings.hpp"

namespace fake_cuda {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

std::uint64_t next_id() {
  static std::atomic<std::uint64_t> last = 0;
  return last.fetch_add(1) + 1;
}

std::mt19937_64 random_for(std::uint64_t id) {
  std::seed_seq seed{Settings::get().seed, static_cast<std::uint64_t>(::getpid()), id};
  return std::mt19937_64(seed);
}

}  // namespace

Queue::Queue() : id_(next_id()), random_(random_for(id_)) {}

std::shared_ptr<Queue> Queue::create() { return std::shared_ptr<Queue>(new Queue); }

void Queue::push(Operation operation) {
  const std::lock_guard lock(mutex_);
  waiting_.push_back(std::move(operation));
  ++pushed_;
  if (!is_started_) {
    is_started_ = true;
    std::thread([self = shared_from_this()] { self->run(); }).detach();
  }
  changed_.notify_all();
}

void Queue::close() {
  const std::lock_guard lock(mutex_);
  is_closed_ = true;
  changed_.notify_all();
}

void Queue::run() {
  for (;;) {
    Operation operation;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return !waiting_.empty() || is_closed_; });
      if (waiting_.empty()) return;
      operation = std::move(waiting_.front());
      waiting_.pop_front();
    }
    if (!is_stopped()) delay();
    if (!is_stopped()) operation();
    operation = nullptr;  // What it holds goes before somebody learns that it is done.
    const std::lock_guard lock(mutex_);
    // What a stop left undone never counts as done.
    if (!is_stopped()) ++done_;
    changed_.notify_all();
  }
}

/// Mostly short and sometimes long, so that both orders of most pairs of operations are met.
void Queue::delay() {
  constexpr double kSkew = 4;
  const std::uint64_t least = Settings::get().least_delay;
  const std::uint64_t most = Settings::get().most_delay;
  if (most == 0) return;
  const double part = std::pow(std::uniform_real_distribution<double>(0, 1)(random_), kSkew);
  const double more = static_cast<double>(most - least) * part;
  std::this_thread::sleep_for(microseconds(least + static_cast<std::uint64_t>(more)));
}

Result Queue::synchronize() {
  std::unique_lock lock(mutex_);
  const std::uint64_t wanted = pushed_;
  // In slices, because a fault in another stream ends the wait as well.
  while (done_ < wanted && !is_stopped()) changed_.wait_for(lock, milliseconds(2));
  if (is_faulty()) return kIllegalAddress;
  return is_ending() ? kDeinitialized : kSuccess;
}

Result Queue::query() {
  const std::lock_guard lock(mutex_);
  return done_ < pushed_ ? kNotReady : kSuccess;
}

void Backoff::sleep() {
  constexpr unsigned kLongest = 200;
  std::this_thread::sleep_for(microseconds(microseconds_));
  microseconds_ = std::min(2 * microseconds_, kLongest);
}

}  // namespace fake_cuda
