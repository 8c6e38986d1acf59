// SPDX-License-Identifier: Apache-2.0
#include "client/pin.hpp"

#include "clara_fastio/error.hpp"
#include "cuda/device.hpp"
#include "cuda/registration.hpp"

namespace clara_fastio::client {
namespace {

/// The first device that this process works on already; null when there is none.
cuda::Device* device_in_use() {
  for (int i = 0; i < cuda::Device::count(); ++i) {
    cuda::Device& device = cuda::Device::of_ordinal(i);
    if (device.is_active()) return &device;
  }
  return nullptr;
}

}  // namespace

Pin::Pin() = default;
Pin::~Pin() = default;

void Pin::try_on(const posix::Map& map, posix::Access access) noexcept {
  if (is_on() || is_refused_.load(std::memory_order_relaxed)) return;
  try {
    if (cuda::Device* device = device_in_use()) return try_on(map, access, *device);
    const std::lock_guard lock(mutex_);
    refusal_ = "this process uses no device yet";
  } catch (const std::exception& error) {
    const std::lock_guard lock(mutex_);
    refusal_ = error.what();
    is_refused_.store(true);
  }
}

void Pin::try_on(const posix::Map& map, posix::Access access, cuda::Device& device) noexcept {
  const std::lock_guard lock(mutex_);
  if (is_on() || is_refused_.load()) return;
  try {
    const bool is_read_only = access == posix::Access::read_only;
    const cuda::Device::Abilities& can = device.abilities();
    if (!can.no_registration.empty()) throw Error(Errc::cuda, can.no_registration);
    if (is_read_only && !can.registers_read_only) {
      throw Error(Errc::cuda, "the driver does not register memory that a process only reads");
    }
    registration_ = cuda::Registration::of(device, map.data(), map.size(), is_read_only);
    refusal_.clear();
    is_on_.store(true, std::memory_order_release);
  } catch (const std::exception& error) {
    refusal_ = error.what();
    is_refused_.store(true);
  }
}

std::string Pin::refusal() {
  const std::lock_guard lock(mutex_);
  return refusal_;
}

}  // namespace clara_fastio::client
