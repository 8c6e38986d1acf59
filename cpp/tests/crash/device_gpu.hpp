// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dlfcn.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>

namespace clara_fastio::crash {

/// What a kernel found; valid once its stream is done.
struct Seen {
  std::uint32_t smallest = 0;
  std::uint32_t largest = 0;

  bool is(std::uint64_t value) const noexcept { return smallest == value && largest == value; }
  std::string text() const {
    return "words from " + std::to_string(smallest) + " to " + std::to_string(largest);
  }
};

/// The fake driver's device, as a program uses it beside the library: streams, and kernels that
/// take their time. It is current in the thread that made the object.
class Gpu {
 public:
  using Stream = std::uintptr_t;

  Gpu() {
    const char* path = std::getenv("CLARA_FASTIO_CUDA_DRIVER");
    library_ = path == nullptr ? nullptr : ::dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library_ == nullptr) throw std::runtime_error("CLARA_FASTIO_CUDA_DRIVER is no library");
    call("cuInit", 0u);
    void* context = nullptr;
    call("cuDevicePrimaryCtxRetain", &context, 0);
    call("cuCtxPushCurrent_v2", context);
    call("cuMemAlloc_v2", &own_, std::size_t{kOwnBytes});
  }

  Stream new_stream() {
    Stream stream = 0;
    call("cuStreamCreate", &stream, 1u);
    return stream;
  }
  void synchronize(Stream stream) { call("cuStreamSynchronize", stream); }

  /// Keeps a stream busy with memory that is nobody else's.
  void work(Stream stream, std::uint64_t ns) { fill(stream, own_, kOwnBytes, 0, ns); }
  /// Writes `value` to each word of 32 bits, over some nanoseconds.
  void fill(Stream stream, std::uintptr_t to, std::uint64_t nbytes, std::uint32_t value,
            std::uint64_t ns) {
    call("fakeCudaFill", stream, to, nbytes / 4, value, ns);
  }
  void add(Stream stream, std::uintptr_t to, std::uint64_t nbytes, std::uint32_t increment,
           std::uint64_t ns) {
    call("fakeCudaAdd", stream, to, to, nbytes / 4, increment, ns);
  }
  void look(Stream stream, std::uintptr_t from, std::uint64_t nbytes, Seen& seen,
            std::uint64_t ns) {
    call("fakeCudaSum", stream, from, nbytes / 4, ns, &seen.smallest, &seen.largest);
  }

 private:
  template <typename... Arguments>
  void call(const char* name, Arguments... arguments) {
    auto* function = reinterpret_cast<int (*)(Arguments...)>(::dlsym(library_, name));
    const int result = function == nullptr ? -1 : function(arguments...);
    if (result == 0) return;
    throw std::runtime_error(std::string(name) + " failed with " + std::to_string(result));
  }

  static constexpr std::uint64_t kOwnBytes = 4096;

  void* library_;
  std::uintptr_t own_ = 0;
};

}  // namespace clara_fastio::crash
