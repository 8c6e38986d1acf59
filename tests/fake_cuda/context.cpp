// SPDX-License-Identifier: Apache-2.0
#include "context.hpp"

#include <atomic>
#include <deque>
#include <vector>

#include "call.hpp"
#include "device.hpp"
#include "settings.hpp"

namespace fake_cuda {
namespace {

/// The primary context of a device. The handle stays the same after a release by everybody, and
/// what was made in the context stays too: the real driver would have destroyed it.
struct PrimaryContext {
  DeviceNumber device = 0;
  std::atomic<unsigned> retained = 0;
};

std::deque<PrimaryContext>& contexts() {
  static auto* const all = [] {
    auto* const result = new std::deque<PrimaryContext>;
    for (std::size_t index = 0; index < visible_devices().size(); ++index) {
      result->emplace_back().device = static_cast<DeviceNumber>(index);
    }
    return result;
  }();
  return *all;
}

PrimaryContext& context_of(DeviceNumber device) {
  return contexts()[static_cast<std::size_t>(device)];
}

PrimaryContext* find_context(Context handle) {
  for (PrimaryContext& context : contexts()) {
    if (reinterpret_cast<Context>(&context) == handle) return &context;
  }
  return nullptr;
}

std::vector<PrimaryContext*>& stack() {
  thread_local std::vector<PrimaryContext*> contexts_of_thread;
  return contexts_of_thread;
}

}  // namespace

Result check_current_context() {
  if (stack().empty()) return kInvalidContext;
  return stack().back()->retained.load() == 0 ? kContextIsDestroyed : kSuccess;
}

DeviceNumber current_device() { return stack().back()->device; }

Result driver::init(unsigned flags) {
  if (const Result refused = begin("cuInit", Needs::nothing)) return refused;
  if (flags != 0) return kInvalidValue;
  if (visible_devices().empty()) return kNoDevice;
  return start_driver();
}

Result driver::driver_version(int* version) {
  if (const Result refused = begin("cuDriverGetVersion", Needs::nothing)) return refused;
  if (version == nullptr) return kInvalidValue;
  *version = Settings::get().version;
  return kSuccess;
}

Result driver::retain_primary(Context* context, DeviceNumber device) {
  if (const Result refused = begin("cuDevicePrimaryCtxRetain", Needs::driver)) return refused;
  if (context == nullptr) return kInvalidValue;
  if (!is_device(device)) return kInvalidDevice;
  PrimaryContext& primary = context_of(device);
  primary.retained.fetch_add(1);
  *context = reinterpret_cast<Context>(&primary);  // Opaque to the caller.
  return kSuccess;
}

Result driver::release_primary(DeviceNumber device) {
  if (const Result refused = begin("cuDevicePrimaryCtxRelease_v2", Needs::driver)) return refused;
  if (!is_device(device)) return kInvalidDevice;
  std::atomic<unsigned>& retained = context_of(device).retained;
  unsigned count = retained.load();
  while (count != 0) {
    if (retained.compare_exchange_weak(count, count - 1)) return kSuccess;
  }
  return kInvalidContext;
}

Result driver::primary_state(DeviceNumber device, unsigned* flags, int* active) {
  if (const Result refused = begin("cuDevicePrimaryCtxGetState", Needs::driver)) return refused;
  if (flags == nullptr || active == nullptr) return kInvalidValue;
  if (!is_device(device)) return kInvalidDevice;
  *flags = 0;
  *active = context_of(device).retained.load() > 0 ? 1 : 0;
  return kSuccess;
}

Result driver::context_current(Context* context) {
  if (const Result refused = begin("cuCtxGetCurrent", Needs::driver)) return refused;
  if (context == nullptr) return kInvalidValue;
  *context = stack().empty() ? nullptr : reinterpret_cast<Context>(stack().back());
  return kSuccess;
}

Result driver::context_push(Context context) {
  if (const Result refused = begin("cuCtxPushCurrent_v2", Needs::driver)) return refused;
  PrimaryContext* const primary = find_context(context);
  if (primary == nullptr || primary->retained.load() == 0) return kInvalidContext;
  stack().push_back(primary);
  return kSuccess;
}

Result driver::context_pop(Context* context) {
  if (const Result refused = begin("cuCtxPopCurrent_v2", Needs::driver)) return refused;
  if (stack().empty()) return kInvalidContext;
  if (context != nullptr) *context = reinterpret_cast<Context>(stack().back());
  stack().pop_back();
  return kSuccess;
}

}  // namespace fake_cuda
