// SPDX-License-Identifier: Apache-2.0
#include "physical_memory.hpp"

#include <fcntl.h>

#include <map>
#include <mutex>

#include "call.hpp"
#include "context.hpp"
#include "device.hpp"
#include "settings.hpp"

namespace fake_cuda {
namespace {

/// A handle keeps the memory; so does each mapping and each descriptor.
struct Handles {
  std::mutex mutex;
  std::map<MemoryHandle, std::shared_ptr<SharedFile>> files;
  MemoryHandle next = 0x1000;

  MemoryHandle add(std::shared_ptr<SharedFile> file) {
    const std::lock_guard lock(mutex);
    files[next] = std::move(file);
    return next++;
  }
};

Handles& handles() {
  static auto* const all = new Handles;
  return *all;
}

Result check_properties(const MemoryProperties* properties) {
  if (properties == nullptr || properties->type != kPinnedMemory) return kInvalidValue;
  if (properties->location.type != kOnDevice) return kInvalidValue;
  if (!is_device(properties->location.id)) return kInvalidDevice;
  if (attribute_of(kVirtualMemory) == 0) return kNotSupported;
  const int types = properties->handle_types;
  if ((types & ~kAsDescriptor) != 0) return kNotSupported;
  return types != 0 && attribute_of(kPosixDescriptor) == 0 ? kNotSupported : kSuccess;
}

}  // namespace

std::size_t free_bytes(int physical) {
  const std::size_t created = SharedFile::created_bytes(physical);
  const std::size_t total = Settings::get().memory;
  return total > created ? total - created : 0;
}

std::shared_ptr<SharedFile> memory_of(MemoryHandle handle) {
  const std::lock_guard lock(handles().mutex);
  const auto found = handles().files.find(handle);
  return found == handles().files.end() ? nullptr : found->second;
}

Result driver::memory_info(std::size_t* free, std::size_t* total) {
  if (const Result refused = begin("cuMemGetInfo_v2", Needs::context)) return refused;
  if (free == nullptr || total == nullptr) return kInvalidValue;
  *free = free_bytes(physical_of(current_device()));
  *total = Settings::get().memory;
  return kSuccess;
}

Result driver::granularity(std::size_t* nbytes, const MemoryProperties* properties, int option) {
  if (const Result refused = begin("cuMemGetAllocationGranularity", Needs::driver)) return refused;
  if (nbytes == nullptr || option < 0 || option > 1) return kInvalidValue;
  if (const Result wrong = check_properties(properties)) return wrong;
  *nbytes = kGranularity;
  return kSuccess;
}

Result driver::create_memory(MemoryHandle* handle, std::size_t nbytes,
                             const MemoryProperties* properties, unsigned long long flags) {
  if (const Result refused = begin("cuMemCreate", Needs::driver)) return refused;
  if (handle == nullptr || flags != 0 || nbytes == 0) return kInvalidValue;
  if (const Result wrong = check_properties(properties)) return wrong;
  if (nbytes % kGranularity != 0) return kInvalidValue;
  const int physical = physical_of(properties->location.id);
  if (nbytes > free_bytes(physical)) return kOutOfMemory;
  auto file = SharedFile::create({.kind = FileKind::block,
                                  .device = physical,
                                  .nbytes = nbytes,
                                  .handle_types = properties->handle_types});
  if (!file) return kOutOfMemory;
  *handle = handles().add(std::move(file));
  return kSuccess;
}

Result driver::release_memory(MemoryHandle handle) {
  if (const Result refused = begin("cuMemRelease", Needs::driver)) return refused;
  const std::lock_guard lock(handles().mutex);
  return handles().files.erase(handle) == 1 ? kSuccess : kInvalidValue;
}

Result driver::export_memory(void* shareable, MemoryHandle handle, int type,
                             unsigned long long flags) {
  if (const Result refused = begin("cuMemExportToShareableHandle", Needs::driver)) return refused;
  const auto file = memory_of(handle);
  if (shareable == nullptr || flags != 0 || type != kAsDescriptor || !file) return kInvalidValue;
  if ((file->header().handle_types & kAsDescriptor) == 0) return kInvalidValue;
  const int fd = ::fcntl(file->fd(), F_DUPFD_CLOEXEC, 0);
  if (fd < 0) return kUnknown;
  *static_cast<int*>(shareable) = fd;
  return kSuccess;
}

Result driver::import_memory(MemoryHandle* handle, void* shareable, int type) {
  if (const Result refused = begin("cuMemImportFromShareableHandle", Needs::driver)) return refused;
  if (handle == nullptr || type != kAsDescriptor) return kInvalidValue;
  // The interface passes a descriptor as a pointer.
  const int given = static_cast<int>(reinterpret_cast<std::intptr_t>(shareable));
  const int fd = ::fcntl(given, F_DUPFD_CLOEXEC, 0);
  if (fd < 0) return kInvalidValue;
  auto file = SharedFile::adopt(fd, FileKind::block);
  if (!file) return kInvalidValue;
  if (!device_of(file->header().device)) return kInvalidDevice;
  *handle = handles().add(std::move(file));
  return kSuccess;
}

Result driver::memory_properties(MemoryProperties* properties, MemoryHandle handle) {
  if (const Result refused = begin("cuMemGetAllocationPropertiesFromHandle", Needs::driver)) {
    return refused;
  }
  const auto file = memory_of(handle);
  if (properties == nullptr || !file) return kInvalidValue;
  *properties = {};
  properties->type = kPinnedMemory;
  properties->handle_types = file->header().handle_types;
  properties->location = {kOnDevice, *device_of(file->header().device)};
  return kSuccess;
}

}  // namespace fake_cuda
