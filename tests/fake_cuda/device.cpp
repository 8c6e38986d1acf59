// SPDX-License-Identifier: Apache-2.0
#include "device.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>

#include "call.hpp"
#include "settings.hpp"

namespace fake_cuda {
namespace {

constexpr int kLastAttribute = 160;  // Known ones without a value here are 0.

Uuid uuid_of(int physical) {
  Uuid uuid{};
  std::memcpy(uuid.bytes, "FAKEGPU", 7);
  uuid.bytes[15] = static_cast<unsigned char>(physical);
  return uuid;
}

/// "GPU-46414b45-4750-5500-0000-000000000001".
std::string uuid_text(int physical) {
  std::string text = "GPU-";
  const Uuid uuid = uuid_of(physical);
  for (std::size_t index = 0; index < sizeof uuid.bytes; ++index) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned>(uuid.bytes[index]));
    if (index == 4 || index == 6 || index == 8 || index == 10) text += '-';
    text += digits;
  }
  return text;
}

/// The physical device that an item of CUDA_VISIBLE_DEVICES names; -1 for none.
int named_device(const std::string& item) {
  const int devices = Settings::get().devices;
  if (item.starts_with("GPU-")) {
    for (int physical = 0; physical < devices; ++physical) {
      if (uuid_text(physical).starts_with(item)) return physical;
    }
    return -1;
  }
  int physical = -1;
  const char* const end = item.data() + item.size();
  const auto parsed = std::from_chars(item.data(), end, physical);
  const bool is_valid = parsed.ec == std::errc{} && parsed.ptr == end && physical < devices;
  return is_valid ? std::max(physical, -1) : -1;
}

std::vector<int> find_visible() {
  std::vector<int> result;
  if (!Settings::get().visible) {
    for (int physical = 0; physical < Settings::get().devices; ++physical) {
      result.push_back(physical);
    }
    return result;
  }
  for (const std::string& item : split(*Settings::get().visible, ',')) {
    const int physical = named_device(item);
    if (physical < 0) break;  // The real one also ignores all that follows a wrong item.
    if (std::ranges::find(result, physical) != result.end()) return {};
    result.push_back(physical);
  }
  return result;
}

}  // namespace

const std::vector<int>& visible_devices() {
  static const auto* const devices = new std::vector<int>(find_visible());
  return *devices;
}

bool is_device(DeviceNumber device) {
  return device >= 0 && static_cast<std::size_t>(device) < visible_devices().size();
}

int physical_of(DeviceNumber device) { return visible_devices()[static_cast<std::size_t>(device)]; }

std::optional<DeviceNumber> device_of(int physical) {
  const auto found = std::ranges::find(visible_devices(), physical);
  if (found == visible_devices().end()) return std::nullopt;
  return static_cast<DeviceNumber>(found - visible_devices().begin());
}

int attribute_of(int attribute) {
  static const auto* const defaults = new std::map<int, int>{
      {kUnifiedAddressing, 1}, {kComputeCapabilityMajor, 9}, {kCanUseHostPointer, 1},
      {kHostRegister, 1},      {kVirtualMemory, 1},          {kPosixDescriptor, 1},
      {kGpuDirectRdma, 1},     {kReadOnlyHostRegister, 1},   {kStreamMemoryOperations, 1},
      {kIpcEvents, 1}};
  for (const auto* values : {&Settings::get().attributes, defaults}) {
    if (const auto found = values->find(attribute); found != values->end()) return found->second;
  }
  return 0;
}

Result driver::device_count(int* count) {
  if (const Result refused = begin("cuDeviceGetCount", Needs::driver)) return refused;
  if (count == nullptr) return kInvalidValue;
  *count = static_cast<int>(visible_devices().size());
  return kSuccess;
}

Result driver::device_get(DeviceNumber* device, int ordinal) {
  if (const Result refused = begin("cuDeviceGet", Needs::driver)) return refused;
  if (device == nullptr) return kInvalidValue;
  if (!is_device(ordinal)) return kInvalidDevice;
  *device = ordinal;
  return kSuccess;
}

Result driver::device_name(char* name, int size, DeviceNumber device) {
  if (const Result refused = begin("cuDeviceGetName", Needs::driver)) return refused;
  if (name == nullptr || size <= 0) return kInvalidValue;
  if (!is_device(device)) return kInvalidDevice;
  std::snprintf(name, static_cast<std::size_t>(size), "Fake GPU %d", physical_of(device));
  return kSuccess;
}

Result driver::device_uuid(Uuid* uuid, DeviceNumber device) {
  if (const Result refused = begin("cuDeviceGetUuid_v2", Needs::driver)) return refused;
  if (uuid == nullptr) return kInvalidValue;
  if (!is_device(device)) return kInvalidDevice;
  *uuid = uuid_of(physical_of(device));
  return kSuccess;
}

Result driver::device_attribute(int* value, int attribute, DeviceNumber device) {
  if (const Result refused = begin("cuDeviceGetAttribute", Needs::driver)) return refused;
  if (value == nullptr || attribute < 1 || attribute > kLastAttribute) return kInvalidValue;
  if (!is_device(device)) return kInvalidDevice;
  *value = attribute_of(attribute);
  return kSuccess;
}

Result driver::device_memory(std::size_t* nbytes, DeviceNumber device) {
  if (const Result refused = begin("cuDeviceTotalMem_v2", Needs::driver)) return refused;
  if (nbytes == nullptr) return kInvalidValue;
  if (!is_device(device)) return kInvalidDevice;
  *nbytes = Settings::get().memory;
  return kSuccess;
}

}  // namespace fake_cuda
