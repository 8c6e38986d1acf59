// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dlfcn.h>

#include <array>
#include <source_location>
#include <stdexcept>
#include <string>

#include "cuda/driver_functions.hpp"
#include "fake_cuda.hpp"

namespace fake_cuda::testing {

using namespace clara_fastio::cuda;

/// The granularity.
inline constexpr std::size_t kStep = std::size_t{2} << 20;
inline constexpr Result kInvalidDevice = 101;
inline constexpr Result kInvalidHandle = 400;
inline constexpr Result kContextIsDestroyed = 709;
inline constexpr Result kIllegalAddress = 700;
inline constexpr Result kAlreadyRegistered = 712;
inline constexpr Result kNotRegistered = 713;
inline constexpr Result kCaptureUnsupported = 900;

/// The fake driver, loaded as the library loads a driver: by the names of its functions.
struct Driver {
  // clang-format off
#define FAKE_CUDA_MEMBER(member, symbol, parameters) Result(*member) parameters = load<Result(*) parameters>(symbol);
  CLARA_FASTIO_CUDA_FUNCTIONS(FAKE_CUDA_MEMBER)
  CLARA_FASTIO_CUDA_OPTIONAL_FUNCTIONS(FAKE_CUDA_MEMBER)
#undef FAKE_CUDA_MEMBER
  // clang-format on
  decltype(&fakeCudaFill) fill_words = load<decltype(&fakeCudaFill)>("fakeCudaFill");
  decltype(&fakeCudaSum) sum_words = load<decltype(&fakeCudaSum)>("fakeCudaSum");
  decltype(&fakeCudaAdd) add_words = load<decltype(&fakeCudaAdd)>("fakeCudaAdd");
  decltype(&fakeCudaCapture) capture = load<decltype(&fakeCudaCapture)>("fakeCudaCapture");
  decltype(&fakeCudaCounts) counts = load<decltype(&fakeCudaCounts)>("fakeCudaCounts");
  decltype(&fakeCudaRegisteredBytes) registered_bytes =
      load<decltype(&fakeCudaRegisteredBytes)>("fakeCudaRegisteredBytes");

  [[nodiscard]] unsigned long long count(const char* name) const {
    unsigned long long result = 0;
    counts(name, &result);
    return result;
  }

  template <class Function>
  static Function load(const char* symbol) {
    static void* const library = ::dlopen(FAKE_CUDA_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    void* const found = library == nullptr ? nullptr : ::dlsym(library, symbol);
    if (found == nullptr) throw std::runtime_error(symbol);
    return reinterpret_cast<Function>(found);
  }
};

inline const Driver& driver() {
  static const Driver it;
  return it;
}

/// For calls that a test only needs to work.
inline void must(Result result, std::source_location where = std::source_location::current()) {
  if (result == kSuccess) return;
  throw std::runtime_error("CUDA error " + std::to_string(result) + " in line " +
                           std::to_string(where.line()));
}

/// The driver started, and the context of device 0 current in this thread.
struct Session {
  Context context = nullptr;

  Session() {
    must(driver().init(0));
    must(driver().retain_primary(&context, 0));
    must(driver().context_push(context));
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() {
    driver().context_pop(nullptr);
    driver().release_primary(0);
  }
};

inline MemoryProperties properties_of(DeviceNumber device, int handle_types = kAsDescriptor) {
  MemoryProperties properties{};
  properties.type = kPinnedMemory;
  properties.handle_types = handle_types;
  properties.location = {kOnDevice, device};
  return properties;
}

inline MemoryHandle create(std::size_t nbytes = kStep) {
  const MemoryProperties properties = properties_of(0);
  MemoryHandle handle = 0;
  must(driver().create_memory(&handle, nbytes, &properties, 0));
  return handle;
}

inline std::string name_of(DeviceNumber device) {
  std::array<char, 32> name{};
  must(driver().device_name(name.data(), static_cast<int>(name.size()), device));
  return name.data();
}

}  // namespace fake_cuda::testing
