// SPDX-License-Identifier: Apache-2.0
#include "cuda/driver_api.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <optional>

#include "clara_fastio/error.hpp"
#include "posix/fork_guard.hpp"

namespace clara_fastio::cuda {
namespace {

constexpr const char* kSystemDriver = "libcuda.so.1";
constexpr const char* kForked =
    "CUDA does not work in a forked child; start the process with spawn or exec";

// What leaves the process unable to use a device, in the words of the driver's documentation:
// errors of the memory and of links, faults of kernels, a context or a server that is gone.
constexpr std::array<Result, 16> kFatal{214, 220, 226, 700, 702, 709, 710, 714,
                                        715, 716, 717, 718, 719, 721, 810, 999};

struct Loaded {
  DriverApi api;
  std::optional<Error> failure;
  std::uint64_t fork_generation = posix::fork_generation();
};

// Set once the driver is initialised, so that asking for it never waits for the loading.
std::atomic<const Loaded*> ready{nullptr};

std::string choose_path() {
  const char* const path = std::getenv("CLARA_FASTIO_CUDA_DRIVER");
  // dlopen takes an empty name for the program itself.
  return path == nullptr || *path == '\0' ? kSystemDriver : path;
}

// "the CUDA driver at libcuda.so.1 (version 12.4)"
std::string title(const DriverApi& api) {
  const std::string version = api.version == 0 ? "unknown"
                                               : std::to_string(api.version / 1000) + "." +
                                                     std::to_string(api.version % 1000 / 10);
  return "the CUDA driver at " + api.path + " (version " + version + ")";
}

[[noreturn]] void throw_not_found(const std::string& message) {
  throw Error(Errc::device_not_found, message);
}

void* open_library(const std::string& path) {
  // Never closed: the driver has threads, and other libraries of the process may use it.
  void* const library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library != nullptr) return library;
  const char* const reason = ::dlerror();
  throw_not_found("no CUDA driver: " + (reason == nullptr ? path : std::string(reason)) +
                  "; install the vendor's driver, or start the container with its devices");
}

template <typename Function>
void find(void* library, const char* symbol, Function*& function) {
  function = reinterpret_cast<Function*>(::dlsym(library, symbol));
}

// The name of the first function that the library lacks; null when it has all.
const char* find_all(void* library, DriverApi& api) {
  const char* missing = nullptr;
#define CLARA_FASTIO_CUDA_FIND(member, symbol, parameters) \
  find(library, symbol, api.member);                       \
  if (api.member == nullptr && missing == nullptr) missing = symbol;
  CLARA_FASTIO_CUDA_FUNCTIONS(CLARA_FASTIO_CUDA_FIND)
#undef CLARA_FASTIO_CUDA_FIND
#define CLARA_FASTIO_CUDA_FIND(member, symbol, parameters) find(library, symbol, api.member);
  CLARA_FASTIO_CUDA_OPTIONAL_FUNCTIONS(CLARA_FASTIO_CUDA_FIND)
#undef CLARA_FASTIO_CUDA_FIND
  return missing;
}

void initialize(const DriverApi& api) {
  int count = 0;
  Result result = api.init(0);
  const char* const call = result == kSuccess ? "cuDeviceGetCount" : "cuInit";
  if (result == kSuccess) result = api.device_count(&count);
  if (result == kSuccess && count == 0) result = kNoDevice;
  if (result == kSuccess) return;
  // Another library of the process initialised CUDA before the process was forked.
  if (result == kNotInitialized) throw Error(Errc::forked, kForked);
  throw_not_found(title(api) + " cannot be used: " + call + " failed: " + api.describe(result) +
                  (result == kNoDevice ? visible_devices() : ""));
}

void load(DriverApi& api) {
  api.path = choose_path();
  const char* const missing = find_all(open_library(api.path), api);
  if (api.driver_version != nullptr) static_cast<void>(api.driver_version(&api.version));
  if (missing != nullptr) {
    throw_not_found(title(api) + " lacks " + missing + "; install a driver of 12.0 or newer");
  }
  initialize(api);
}

Loaded* load_once() {
  auto* const loaded = new Loaded;  // Lives as long as the process, for threads that outlive main.
  try {
    load(loaded->api);
    ready.store(loaded, std::memory_order_release);  // After all that `api` holds.
  } catch (const Error& error) {
    loaded->failure = error;
  }
  return loaded;
}

const Loaded& loaded() {
  static const Loaded* const once = load_once();
  return *once;
}

}  // namespace

const DriverApi& DriverApi::get() {
  const Loaded& found = loaded();
  if (found.failure) throw Error(*found.failure);
  if (found.fork_generation != posix::fork_generation()) throw Error(Errc::forked, kForked);
  return found.api;
}

const DriverApi* DriverApi::if_loaded() noexcept {
  // Acquire: what the loading thread stored in the table is seen with the pointer to it.
  const Loaded* const found = ready.load(std::memory_order_acquire);
  const bool works = found != nullptr && found->fork_generation == posix::fork_generation();
  return works ? &found->api : nullptr;
}

std::string DriverApi::describe(Result result) const {
  const char* name = nullptr;
  const char* text = nullptr;
  if (error_name(result, &name) != kSuccess || name == nullptr) {
    return "CUDA error " + std::to_string(result);
  }
  if (error_text(result, &text) != kSuccess || text == nullptr) return name;
  return std::string(name) + " (" + text + ")";
}

void DriverApi::check(Result result, const char* call, const std::string& what) const {
  if (result == kSuccess) return;
  std::string message = std::string(call) + " failed: " + describe(result);
  if (!what.empty()) message += ": " + what;
  if (result == kOutOfMemory) throw Error(Errc::out_of_memory, message, std::uint64_t{0}, 0);
  if (is_fatal(result)) {
    message += "; the process's work on the device is lost, and the process must be restarted";
  }
  throw Error(Errc::cuda, message, result);
}

bool is_fatal(Result result) noexcept { return std::ranges::count(kFatal, result) != 0; }

std::string visible_devices() {
  const char* const visible = std::getenv("CUDA_VISIBLE_DEVICES");
  return visible == nullptr ? "" : "; CUDA_VISIBLE_DEVICES is '" + std::string(visible) + "'";
}

}  // namespace clara_fastio::cuda
