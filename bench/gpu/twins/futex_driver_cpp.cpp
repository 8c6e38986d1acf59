// SPDX-License-Identifier: Apache-2.0
// The limit of a hand-over of device memory: the kernel's futex, and two calls of the driver, by
// which a stream writes a word and the other process's stream waits for it.
// Usage: futex_driver_cpp CPU ping|pong FD NBYTES, one process for each of the two roles.
#include <dlfcn.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstring>

#include "serve.hpp"

namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kNbytes = 16 * kPage;
constexpr unsigned kPortableAndMapped = 3;
constexpr unsigned kNonBlocking = 1;
constexpr unsigned kGreaterEqual = 0;

template <typename Function>
Function load(const char* symbol) {
  const char* path = std::getenv("CLARA_FASTIO_CUDA_DRIVER");
  static void* const library = dlopen(path != nullptr ? path : "libcuda.so.1", RTLD_NOW);
  void* const found = library == nullptr ? nullptr : dlsym(library, symbol);
  if (found == nullptr) {
    std::fprintf(stderr, "there is no %s\n", symbol);
    std::exit(1);
  }
  return reinterpret_cast<Function>(found);
}

void must(int status, const char* call) {
  if (status == 0) return;
  std::fprintf(stderr, "%s: %d\n", call, status);
  std::exit(1);
}

using Word64 = unsigned long long;
using MemoryOperation = int (*)(void*, Word64, std::uint64_t, unsigned);

struct alignas(64) Word {
  std::atomic<std::uint32_t> count{0};
};

class Side {
 public:
  Side(std::byte* memory, bool is_ping)
      : mine_(reinterpret_cast<Word*>(memory)[is_ping ? 0 : 1].count),
        other_(reinterpret_cast<Word*>(memory)[is_ping ? 1 : 0].count),
        write_(load<MemoryOperation>("cuStreamWriteValue64_v2")),
        wait_(load<MemoryOperation>("cuStreamWaitValue64_v2")) {
    must(load<int (*)(unsigned)>("cuInit")(0), "cuInit");
    void* context = nullptr;
    must(load<int (*)(void**, int)>("cuDevicePrimaryCtxRetain")(&context, 0), "retain");
    must(load<int (*)(void*)>("cuCtxPushCurrent_v2")(context), "push");
    must(load<int (*)(void**, unsigned)>("cuStreamCreate")(&stream_, kNonBlocking), "stream");
    must(load<int (*)(void*, std::size_t, unsigned)>("cuMemHostRegister_v2")(memory, kNbytes,
                                                                             kPortableAndMapped),
         "register");
    Word64 pointer = 0;
    must(load<int (*)(Word64*, void*, unsigned)>("cuMemHostGetDevicePointer_v2")(&pointer, memory,
                                                                                 0),
         "pointer");
    my_signal_ = pointer + kPage + (is_ping ? 0 : sizeof(Word));
    other_signal_ = pointer + kPage + (is_ping ? sizeof(Word) : 0);
  }

  void send() {
    const std::uint32_t count = mine_.load() + 1;
    must(write_(stream_, my_signal_, count, 0), "cuStreamWriteValue64");
    mine_.store(count);
    syscall(SYS_futex, &mine_, FUTEX_WAKE, 1, nullptr, nullptr, 0);
  }

  void receive() {
    ++received_;
    for (std::uint32_t seen = other_.load(); seen != received_; seen = other_.load()) {
      syscall(SYS_futex, &other_, FUTEX_WAIT, seen, nullptr, nullptr, 0);
    }
    must(wait_(stream_, other_signal_, received_, kGreaterEqual), "cuStreamWaitValue64");
  }

  void synchronize() { must(load<int (*)(void*)>("cuStreamSynchronize")(stream_), "synchronize"); }

 private:
  std::atomic<std::uint32_t>& mine_;
  std::atomic<std::uint32_t>& other_;
  const MemoryOperation write_;
  const MemoryOperation wait_;
  void* stream_ = nullptr;
  Word64 my_signal_ = 0;
  Word64 other_signal_ = 0;
  std::uint32_t received_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  bench::pin(std::atoi(argv[1]));
  const bool is_ping = std::strcmp(argv[2], "ping") == 0;
  void* memory = mmap(nullptr, kNbytes, PROT_READ | PROT_WRITE, MAP_SHARED, std::atoi(argv[3]), 0);
  if (memory == MAP_FAILED) {
    std::perror("mmap");
    return 1;
  }
  Side side(static_cast<std::byte*>(memory), is_ping);
  return bench::serve({
      {"touch", [&](std::uint64_t) { side.synchronize(); }},
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
