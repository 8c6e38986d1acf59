// SPDX-License-Identifier: Apache-2.0
#include "client/watcher.hpp"

#include <sys/epoll.h>

#include <chrono>
#include <span>

#include "clara_fastio/error.hpp"
#include "client/block.hpp"
#include "posix/epoll.hpp"
#include "posix/pidfd.hpp"
#include "posix/socket.hpp"

namespace clara_fastio::client {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTidyAgain{50};
constexpr milliseconds kForEver{-1};

enum Key : std::uint64_t { kNotices, kHost, kWake };

}  // namespace

Watcher::Watcher(Parts parts, posix::UniqueFd notices, posix::UniqueFd host_pidfd)
    : parts_(parts), notices_(std::move(notices)), host_pidfd_(std::move(host_pidfd)) {
  parts_.connection.watch(host_pidfd_.get());
  thread_ = std::thread([this] { run(); });
}

Watcher::~Watcher() { stop(); }

void Watcher::stop() noexcept {
  stopping_.store(true);
  wake_.signal();
  if (thread_.joinable()) thread_.join();
}

void Watcher::drop_later(std::uint32_t index, std::uint64_t generation) {
  {
    const std::lock_guard lock(dropped_mutex_);
    dropped_.push_back({index, generation, nullptr});
  }
  wake();
}

void Watcher::run() noexcept {
  try {
    posix::Epoll epoll;
    epoll.add(notices_.get(), kNotices, EPOLLIN);
    epoll.add(host_pidfd_.get(), kHost, EPOLLIN);
    epoll.add(wake_.fd(), kWake, EPOLLIN);
    bool are_settled = true;
    while (!stopping_.load()) {
      const bool again =
          parts_.segments.has_retired() || parts_.devices.has_retired() || !are_settled;
      for (const epoll_event& event : epoll.wait(again ? kTidyAgain : kForEver)) {
        if (event.data.u64 == kWake) wake_.drain();
        if (event.data.u64 == kNotices) read_notices();
        if (event.data.u64 == kHost) parts_.connection.mark_dead();
      }
      if (parts_.connection.is_dead()) {
        epoll.remove(notices_.get());
        epoll.remove(host_pidfd_.get());
        are_settled = settle_devices();
      }
      tidy();
    }
  } catch (const std::exception&) {
    // Without the thread memory goes back later, and the host's death is seen at the next request.
  }
}

/// Who has died while there is no host that would tell: by the number that the host's kernel gave,
/// so a process of another PID namespace may be taken for dead. The context is over all the same.
bool Watcher::settle_devices() {
  return parts_.devices.settle([this](std::uint32_t slot) {
    try {
      return posix::has_exited(posix::open_pidfd(parts_.tables.header().slots[slot].pid).get());
    } catch (const Error& error) {
      return error.code() == Errc::not_found;
    }
  });
}

void Watcher::read_notices() {
  std::unordered_set<std::uint64_t> gone;
  while (read_notice(gone)) {
  }
  if (!gone.empty()) parts_.let_go(gone);
}

/// Returns whether there may be another one.
bool Watcher::read_notice(std::unordered_set<std::uint64_t>& gone) {
  protocol::Message notice;
  const auto buffer = std::as_writable_bytes(std::span(&notice, 1));
  const posix::Received received = posix::receive_message(notices_.get(), buffer);
  if (received.result == posix::IoResult::closed) parts_.connection.mark_dead();
  if (received.result != posix::IoResult::ok) return false;
  if (received.nbytes != buffer.size() || notice.magic != protocol::kMagic) return true;
  if (notice.operation == protocol::Operation::notice_retire) {
    parts_.segments.retire(notice.location.segment);
    parts_.devices.retire(notice.location.segment);
    gone.insert(notice.location.segment);
  } else if (notice.operation == protocol::Operation::notice_freed) {
    take_back(notice);
  } else if (notice.operation == protocol::Operation::notice_scarce) {
    drop(parts_.pool.drain());
  }
  return true;
}

/// Puts an allocation of this process, which somebody else freed, into the pool.
void Watcher::take_back(const protocol::Message& notice) {
  if (notice.index >= parts_.tables.high_water()) return;
  const Record record = parts_.tables.read(notice.index);
  if (record.generation != notice.generation || record.state != layout::EntryState::doomed) return;
  Pool::Item item{notice.index, notice.generation, nullptr};
  if (record.device.memory == layout::Memory::host) {
    item.block = block_at(parts_.segments, record.location);
  }
  if (item.block) {
    parts_.pool.put(std::move(item));
  } else {
    (void)drop(item);
  }
}

void Watcher::tidy() {
  std::vector<Pool::Item> dropped;
  {
    const std::lock_guard lock(dropped_mutex_);
    dropped.swap(dropped_);
  }
  drop(dropped);
  drop(parts_.pool.overflow());
  parts_.devices.trim();  // Before the segments, whose words it holds.
  parts_.segments.trim();
}

void Watcher::drop(const std::vector<Pool::Item>& items) {
  for (const Pool::Item& item : items) {
    if (stopping_.load() || !drop(item)) break;  // The host takes everything back when we leave.
  }
}

/// Returns whether the host answers.
bool Watcher::drop(const Pool::Item& item) {
  protocol::Message message;
  message.operation = protocol::Operation::drop;
  message.index = item.index;
  message.generation = item.generation;
  try {
    parts_.connection.request(message);
  } catch (const Error& error) {
    return error.code() == Errc::freed;  // It took the entry back already.
  }
  return true;
}

}  // namespace clara_fastio::client
