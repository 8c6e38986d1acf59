// SPDX-License-Identifier: Apache-2.0
// The twin of a pipeline of three processes: three threads of one process, which hand frames on
// through two bounded rings and share all memory.
// Usage: bench_frame_pipeline CPU CPU CPU NBYTES DEPTH
#include <array>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

#include "frame_work.hpp"
#include "serve.hpp"

namespace {

using Frame = std::vector<std::uint64_t>;

constexpr std::size_t kPrepared = 4;

/// A ring of frames between one thread and the next; who has to wait sleeps on a futex.
class Ring {
 public:
  Ring(std::size_t depth, std::size_t nbytes)
      : frames_(depth, Frame(nbytes / sizeof(std::uint64_t))) {}

  /// The frame to be filled next.
  std::uint64_t* next() {
    const std::uint32_t sent = sent_.load(std::memory_order_relaxed);
    for (;;) {
      const std::uint32_t released = released_.load(std::memory_order_acquire);
      if (sent - released < frames_.size()) return frames_[sent % frames_.size()].data();
      released_.wait(released, std::memory_order_acquire);
    }
  }

  void send() {
    sent_.store(sent_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    sent_.notify_one();
  }

  /// The oldest frame that was sent and not released.
  const std::uint64_t* receive() {
    const std::uint32_t released = released_.load(std::memory_order_relaxed);
    sent_.wait(released, std::memory_order_acquire);
    return frames_[released % frames_.size()].data();
  }

  void release() {
    released_.store(released_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    released_.notify_one();
  }

 private:
  std::vector<Frame> frames_;
  alignas(64) std::atomic<std::uint32_t> sent_{0};
  alignas(64) std::atomic<std::uint32_t> released_{0};
};

/// A thread that does a step as often as it is told to.
class Stage {
 public:
  Stage(int cpu, std::function<void()> step)
      : step_(std::move(step)), thread_([this, cpu] {
          bench::pin(cpu);
          for (std::uint64_t seen = 0;;) {
            ordered_.wait(seen);
            seen = ordered_.load();
            if (is_over_) return;
            for (std::uint64_t i = 0; i < steps_; ++i) step_();
            done_.store(seen);
            done_.notify_one();
          }
        }) {}

  ~Stage() {
    is_over_ = true;
    order(0);
    thread_.join();
  }

  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  void order(std::uint64_t steps) {
    steps_ = steps;
    ordered_.fetch_add(1);
    ordered_.notify_one();
  }

  void wait() {
    for (std::uint64_t done = done_; done != ordered_; done = done_) done_.wait(done);
  }

 private:
  const std::function<void()> step_;
  std::uint64_t steps_ = 0;
  std::atomic<bool> is_over_ = false;
  std::atomic<std::uint64_t> ordered_ = 0;
  std::atomic<std::uint64_t> done_ = 0;
  std::thread thread_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  const auto nbytes = static_cast<std::size_t>(std::atoll(argv[4]));
  const auto depth = static_cast<std::size_t>(std::atoll(argv[5]));
  std::array<Frame, kPrepared> prepared;
  std::array<std::uint64_t, kPrepared> expected{};
  Frame scratch(nbytes / sizeof(std::uint64_t));
  for (std::size_t i = 0; i < kPrepared; ++i) {
    prepared[i].resize(scratch.size());
    frame_work_prepare(prepared[i].data(), nbytes, i);
    frame_work_filter(scratch.data(), prepared[i].data(), nbytes);
    expected[i] = frame_work_reduce(scratch.data(), nbytes);
  }
  Ring produced(depth, nbytes);
  Ring filtered(depth, nbytes);
  std::uint64_t sent = 0;
  std::uint64_t reduced = 0;
  std::array<Stage, 3> stages{
      Stage(std::atoi(argv[1]),
            [&] {
              frame_work_produce(produced.next(), prepared[sent++ % kPrepared].data(), nbytes);
              produced.send();
            }),
      Stage(std::atoi(argv[2]),
            [&] {
              const std::uint64_t* in = produced.receive();
              frame_work_filter(filtered.next(), in, nbytes);
              filtered.send();
              produced.release();
            }),
      Stage(std::atoi(argv[3]),
            [&] {
              const std::uint64_t sum = frame_work_reduce(filtered.receive(), nbytes);
              filtered.release();
              if (sum != expected[reduced++ % kPrepared]) std::abort();
            }),
  };
  return bench::serve({{"frame", [&](std::uint64_t steps) {
                          for (Stage& stage : stages) stage.order(steps);
                          for (Stage& stage : stages) stage.wait();
                        }}});
}
