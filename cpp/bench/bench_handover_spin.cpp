// SPDX-License-Identifier: Apache-2.0
// The limit of a hand-over to a process that does not sleep: one cache line each way, nothing else.
// Usage: bench_handover_spin CPU ping|pong FD NBYTES, one process for each of the two roles.
// With NBYTES 0 only the lines travel, otherwise also the first and the last byte of a content.
#include <sys/mman.h>

#include <atomic>
#include <cstring>

#include "serve.hpp"

namespace {

constexpr std::size_t kPage = 4096;

struct alignas(64) Word {
  std::atomic<std::uint32_t> count{0};
};

/// Tells the processor that this is a loop that waits.
void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

class Side {
 public:
  Side(std::byte* memory, std::size_t nbytes, bool is_ping)
      : mine_(reinterpret_cast<Word*>(memory)[is_ping ? 0 : 2].count),
        other_(reinterpret_cast<Word*>(memory)[is_ping ? 2 : 0].count),
        my_data_(memory + kPage + (is_ping ? 0 : nbytes)),
        other_data_(memory + kPage + (is_ping ? nbytes : 0)),
        nbytes_(nbytes) {}

  void send() {
    ++sent_;
    if (nbytes_ > 0) my_data_[0] = my_data_[nbytes_ - 1] = static_cast<std::byte>(sent_);
    mine_.store(sent_, std::memory_order_release);
  }

  void receive() {
    ++received_;
    while (other_.load(std::memory_order_acquire) != received_) relax();
    if (nbytes_ == 0) return;
    const auto expected = static_cast<std::byte>(received_);
    if (other_data_[0] != expected || other_data_[nbytes_ - 1] != expected) std::abort();
  }

  void touch() {
    std::memset(my_data_, 1, nbytes_);
    send();
    receive();
    if (nbytes_ > 0 && std::memchr(other_data_, 0, nbytes_) != nullptr) {
      std::fputs("a byte was not written\n", stderr);
    }
  }

 private:
  std::atomic<std::uint32_t>& mine_;
  std::atomic<std::uint32_t>& other_;
  std::byte* my_data_;
  const std::byte* other_data_;
  const std::size_t nbytes_;
  std::uint32_t sent_ = 0;
  std::uint32_t received_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  bench::pin(std::atoi(argv[1]));
  const bool is_ping = std::strcmp(argv[2], "ping") == 0;
  const auto nbytes = static_cast<std::size_t>(std::atoll(argv[4]));
  void* memory =
      mmap(nullptr, kPage + 2 * nbytes, PROT_READ | PROT_WRITE, MAP_SHARED, std::atoi(argv[3]), 0);
  if (memory == MAP_FAILED) {
    std::perror("mmap");
    return 1;
  }
  Side side(static_cast<std::byte*>(memory), nbytes, is_ping);
  return bench::serve({
      {"touch", [&](std::uint64_t) { side.touch(); }},
      {"hop",
       [&](std::uint64_t steps) {
         for (; steps > 0; --steps) {
           if (is_ping) side.send();
           side.receive();
           if (!is_ping) side.send();
         }
       }},
  });
}
