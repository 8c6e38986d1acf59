// SPDX-License-Identifier: Apache-2.0
#include "host/workers.hpp"

#include <algorithm>

#include "clara_fastio/error.hpp"
#include "posix/cgroup.hpp"
#include "posix/huge_pages.hpp"
#include "posix/memfd.hpp"

namespace clara_fastio::host {
namespace {

constexpr int kThreads = 2;
constexpr std::uint64_t kStep = 64ull << 20;
constexpr std::uint64_t kKeptBack = 64ull << 20;

/// Under a memory cgroup `fallocate` does not fail, it kills: so look before each step.
void check_room(std::uint64_t wanted, std::uint64_t requested) {
  const posix::MemoryRoom room = posix::memory_room();
  const std::uint64_t kept = std::max(kKeptBack, room.bytes / 50);
  const std::uint64_t usable = room.bytes > kept ? room.bytes - kept : 0;
  if (wanted <= usable) return;
  throw Error(Errc::out_of_memory,
              std::to_string(requested) + " bytes requested, " + std::to_string(usable) +
                  " can be had under " + room.level + " (" + std::to_string(kept) +
                  " are kept back); free memory or raise that limit",
              requested, usable);
}

}  // namespace

Workers::Workers(std::string context_name) : context_name_(std::move(context_name)) {
  for (int i = 0; i < kThreads; ++i) threads_.emplace_back([this] { work(); });
}

Workers::~Workers() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Workers::enqueue(Job job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
}

void Workers::reserve(std::uint64_t ticket, std::uint64_t nbytes) {
  enqueue({ticket, nbytes, posix::UniqueFd()});
}

void Workers::close(posix::UniqueFd fd) { enqueue({0, 0, std::move(fd)}); }

std::vector<Reservation> Workers::finished() {
  ready_.drain();
  const std::lock_guard lock(mutex_);
  return std::exchange(done_, {});
}

posix::UniqueFd Workers::reserve_now(const Job& job) {
  check_room(job.nbytes, job.nbytes);
  posix::UniqueFd fd =
      posix::create_memfd("clara-fastio:" + context_name_ + ":" + std::to_string(job.ticket));
  posix::set_size(fd.get(), job.nbytes);
  posix::seal_size(fd.get());
  const bool wants_huge = job.nbytes >= posix::kHugePage && posix::gives_huge_pages_on_request();
  for (std::uint64_t at = 0; at < job.nbytes; at += kStep) {
    const std::uint64_t step = std::min(kStep, job.nbytes - at);
    if (at > 0) check_room(step, job.nbytes);
    if (wants_huge) posix::request_huge_pages(fd.get(), at, step);
    posix::reserve(fd.get(), at, step);
  }
  return fd;
}

void Workers::work() {
  for (;;) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
      if (stopping_) continue;
    }
    if (job.nbytes == 0) continue;  // Closing is what the destructor of the job does.
    Reservation reservation;
    reservation.ticket = job.ticket;
    try {
      reservation.fd = reserve_now(job);
    } catch (...) {
      reservation.failure = std::current_exception();
    }
    {
      const std::lock_guard lock(mutex_);
      done_.push_back(std::move(reservation));
    }
    ready_.signal();
  }
}

}  // namespace clara_fastio::host
