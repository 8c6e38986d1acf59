// SPDX-License-Identifier: Apache-2.0
#include "cuda/device.hpp"

#include <array>
#include <atomic>
#include <cstdio>
#include <mutex>
#include <optional>

#include "clara_fastio/error.hpp"

namespace clara_fastio::cuda {
namespace {

// "2 devices: GPU-..., GPU-...; CUDA_VISIBLE_DEVICES is '1,0'"
std::string visible(const std::vector<Device*>& devices) {
  std::string text =
      std::to_string(devices.size()) + (devices.size() == 1 ? " device" : " devices");
  for (const Device* const device : devices) {
    text += (device == devices.front() ? ": " : ", ") + text_of(device->uuid());
  }
  return text + visible_devices();
}

}  // namespace

struct Device::Lazy {
  std::mutex context_mutex;
  std::atomic<Context> context{nullptr};
  std::mutex abilities_mutex;  ///< before `context_mutex`
  std::optional<Abilities> abilities;
};

std::string text_of(const Uuid& uuid) {
  std::string text = "GPU";
  std::array<char, 3> digits{};
  for (std::size_t i = 0; i < sizeof uuid.bytes; ++i) {
    if (i == 0 || i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    std::snprintf(digits.data(), digits.size(), "%02x", uuid.bytes[i]);
    text += digits.data();
  }
  return text;
}

Device::Device(const DriverApi& api, int ordinal) : api_(api), ordinal_(ordinal), lazy_(*new Lazy) {
  api_.check(api_.device_get(&number_, ordinal), "cuDeviceGet");
  api_.check(api_.device_uuid(&uuid_, number_), "cuDeviceGetUuid");
  std::array<char, 256> name{};
  api_.check(api_.device_name(name.data(), static_cast<int>(name.size()) - 1, number_),
             "cuDeviceGetName");
  name_ = name.data();
  std::size_t nbytes = 0;
  api_.check(api_.device_memory(&nbytes, number_), "cuDeviceTotalMem");
  memory_nbytes_ = nbytes;
}

const std::vector<Device*>& Device::all() {
  const DriverApi& api = DriverApi::get();  // Each time, because it refuses forked children.
  static const auto* const devices = [&api] {
    int count = 0;
    api.check(api.device_count(&count), "cuDeviceGetCount");
    auto* const made = new std::vector<Device*>;
    for (int ordinal = 0; ordinal < count; ++ordinal) made->push_back(new Device(api, ordinal));
    return made;
  }();
  return *devices;
}

Device& Device::of_ordinal(int ordinal) {
  const std::vector<Device*>& devices = all();
  if (ordinal >= 0 && static_cast<std::size_t>(ordinal) < devices.size()) {
    return *devices[static_cast<std::size_t>(ordinal)];
  }
  throw Error(Errc::device_not_found, "there is no device " + std::to_string(ordinal) +
                                          "; this process sees " + visible(devices));
}

Device& Device::of_uuid(const Uuid& uuid) {
  const std::vector<Device*>& devices = all();
  for (Device* const device : devices) {
    if (device->uuid() == uuid) return *device;
  }
  throw Error(Errc::device_not_found,
              "there is no device " + text_of(uuid) + "; this process sees " + visible(devices));
}

int Device::count() { return static_cast<int>(all().size()); }

std::uint64_t Device::free_nbytes() {
  const CurrentContext current(*this);
  std::size_t free = 0;
  std::size_t total = 0;
  api_.check(api_.memory_info(&free, &total), "cuMemGetInfo", name_);
  return free;
}

int Device::attribute(Attribute attribute) const {
  int value = 0;
  const Result result = api_.device_attribute(&value, attribute, number_);
  if (result == kInvalidValue) return 0;
  api_.check(result, "cuDeviceGetAttribute", name_);
  return value;
}

const Device::Abilities& Device::abilities() {
  DriverApi::get();  // Refuses a forked child, where a thread that is no more may hold the lock.
  const std::lock_guard lock(lazy_.abilities_mutex);
  if (!lazy_.abilities) lazy_.abilities = try_abilities();
  return *lazy_.abilities;
}

bool Device::is_active() const noexcept {
  unsigned flags = 0;
  int active = 0;
  return api_.primary_state(number_, &flags, &active) == kSuccess && active != 0;
}

Context Device::context() {
  if (const Context context = lazy_.context.load()) return context;
  const std::lock_guard lock(lazy_.context_mutex);
  if (lazy_.context.load() == nullptr) {
    // Never released: arrays of other libraries live in the same context until the process ends.
    Context context = nullptr;
    api_.check(api_.retain_primary(&context, number_), "cuDevicePrimaryCtxRetain", name_);
    lazy_.context.store(context);
  }
  return lazy_.context.load();
}

CurrentContext::CurrentContext(Device& device) {
  const DriverApi& api = DriverApi::get();  // Refuses a forked child.
  const Context wanted = device.context();
  Context current = nullptr;
  api.check(api.context_current(&current), "cuCtxGetCurrent");
  if (current == wanted) return;
  api.check(api.context_push(wanted), "cuCtxPushCurrent", device.name());
  api_ = &api;
}

CurrentContext::CurrentContext(Device& device, std::nothrow_t) noexcept {
  const DriverApi* const api = DriverApi::if_loaded();
  const Context wanted = device.lazy_.context.load();
  if (api == nullptr || wanted == nullptr) return;
  Context current = nullptr;
  if (api->context_current(&current) == kSuccess && current == wanted) return;
  if (api->context_push(wanted) == kSuccess) api_ = api;
}

CurrentContext::~CurrentContext() {
  // Not in a child that was forked within the scope.
  if (api_ == nullptr || DriverApi::if_loaded() == nullptr) return;
  Context popped = nullptr;
  static_cast<void>(api_->context_pop(&popped));
}

}  // namespace clara_fastio::cuda
