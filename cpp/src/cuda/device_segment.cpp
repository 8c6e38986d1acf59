// SPDX-License-Identifier: Apache-2.0
#include "cuda/device_segment.hpp"

#include <algorithm>
#include <string>

#include "clara_fastio/error.hpp"
#include "posix/fork_guard.hpp"

namespace clara_fastio::cuda {
namespace {

// The driver cuts smaller blocks out of larger ones, and a handle would show the neighbours too.
constexpr std::uint64_t kLegacyGranularity = 2ULL << 20U;

std::string title(const Device& device) {
  return device.name() + " (device " + std::to_string(device.ordinal()) + ")";
}

// Nothing is ever made of no bytes. Cannot overflow: no size is beyond the device's.
std::uint64_t rounded_up(std::uint64_t nbytes, std::uint64_t granularity) {
  return (std::max<std::uint64_t>(nbytes, 1) + granularity - 1) / granularity * granularity;
}

MemoryProperties properties_on(const Device& device) {
  MemoryProperties properties{};
  properties.type = kPinnedMemory;
  properties.handle_types = kAsDescriptor;
  properties.location = {kOnDevice, device.number()};
  properties.gpu_direct_rdma = device.attribute(kGpuDirectRdma) == 0 ? 0 : 1;
  return properties;
}

std::uint64_t granularity_on(const Device& device) {
  const MemoryProperties properties = properties_on(device);
  std::size_t granularity = 0;
  device.api().check(device.api().granularity(&granularity, &properties, kMinimumGranularity),
                     "cuMemGetAllocationGranularity", title(device));
  return std::max<std::uint64_t>(granularity, 1);
}

[[noreturn]] void throw_out_of_memory(Device& device, std::uint64_t nbytes,
                                      const std::string& reason) {
  const std::uint64_t free = device.free_nbytes();
  throw Error(Errc::out_of_memory,
              title(device) + ": " + std::to_string(nbytes) + " bytes requested, " +
                  std::to_string(free) + " bytes free of a device with " +
                  std::to_string(device.memory_nbytes()) + " bytes" + reason,
              nbytes, free);
}

// The size comes from another process.
void check_size(const Device& device, std::uint64_t nbytes) {
  if (nbytes != 0 && nbytes <= device.memory_nbytes()) return;
  throw Error(Errc::layout, title(device) + " has " + std::to_string(device.memory_nbytes()) +
                                " bytes; a segment of " + std::to_string(nbytes) +
                                " bytes cannot be imported");
}

// What the driver refuses to import another transport may bring; an error of the device's stays.
template <typename Import>
void refuse_as_unavailable(const Device& device, const Import& import) {
  try {
    import();
  } catch (const Error& error) {
    if (error.code() != Errc::cuda || is_fatal(error.os_error())) throw;
    throw Error(Errc::device_ipc_unavailable,
                title(device) + " cannot import another process's memory: " + error.what(),
                error.os_error());
  }
}

}  // namespace

DeviceSegment::DeviceSegment(Device& device, Transport transport, std::uint64_t nbytes)
    : device_(device),
      transport_(transport),
      nbytes_(nbytes),
      fork_generation_(posix::fork_generation()) {}

std::shared_ptr<DeviceSegment> DeviceSegment::create(Device& device, Transport transport,
                                                     std::uint64_t nbytes) {
  const CurrentContext current(device);
  if (nbytes > device.memory_nbytes()) throw_out_of_memory(device, nbytes, "");
  // From here on its destructor undoes what was made.
  std::shared_ptr<DeviceSegment> segment(new DeviceSegment(device, transport, nbytes));
  try {
    transport == Transport::vmm ? segment->make_mapped() : segment->make_legacy();
  } catch (const Error& error) {
    if (error.code() != Errc::out_of_memory) throw;
    segment.reset();
    throw_out_of_memory(device, nbytes, std::string(": ") + error.what());
  }
  return segment;
}

std::shared_ptr<DeviceSegment> DeviceSegment::import(Device& device, int descriptor,
                                                     std::uint64_t nbytes, bool read_only) {
  const CurrentContext current(device);
  check_size(device, nbytes);
  std::shared_ptr<DeviceSegment> segment(new DeviceSegment(device, Transport::vmm, nbytes));
  refuse_as_unavailable(device, [&] { segment->import_mapped(descriptor, read_only); });
  return segment;
}

std::shared_ptr<DeviceSegment> DeviceSegment::import(Device& device, const IpcHandle& handle,
                                                     std::uint64_t nbytes) {
  const CurrentContext current(device);
  check_size(device, nbytes);
  std::shared_ptr<DeviceSegment> segment(new DeviceSegment(device, Transport::legacy, nbytes));
  refuse_as_unavailable(device, [&] { segment->import_legacy(handle); });
  return segment;
}

DeviceSegment::~DeviceSegment() {
  if (fork_generation_ != posix::fork_generation()) return;
  const DriverApi& api = device_.api();
  const CurrentContext current(device_, std::nothrow);
  // A refusal means that the context is lost, and its memory with it: nothing is left to be done.
  if (transport_ == Transport::legacy && pointer_ != 0) {
    static_cast<void>(is_imported_ ? api.ipc_close_memory(pointer_) : api.free(pointer_));
  } else if (pointer_ != 0) {
    if (is_mapped_) static_cast<void>(api.unmap_memory(pointer_, nbytes_));
    static_cast<void>(api.free_address(pointer_, nbytes_));
  }
  if (handle_ != 0) static_cast<void>(api.release_memory(handle_));
}

void DeviceSegment::make_mapped() {
  const DriverApi& api = device_.api();
  nbytes_ = rounded_up(nbytes_, granularity_on(device_));
  MemoryProperties properties = properties_on(device_);
  MemoryHandle handle = 0;
  Result result = api.create_memory(&handle, nbytes_, &properties, 0);
  const bool may_be_the_wish = result != kSuccess && result != kOutOfMemory && !is_fatal(result);
  if (may_be_the_wish && properties.gpu_direct_rdma != 0) {
    // That network cards reach it is only wished for.
    properties.gpu_direct_rdma = 0;
    result = api.create_memory(&handle, nbytes_, &properties, 0);
  }
  api.check(result, "cuMemCreate", title(device_));
  handle_ = handle;
  map(false);
}

void DeviceSegment::make_legacy() {
  nbytes_ = rounded_up(nbytes_, kLegacyGranularity);
  Pointer pointer = 0;
  device_.api().check(device_.api().allocate(&pointer, nbytes_), "cuMemAlloc", title(device_));
  pointer_ = pointer;
}

void DeviceSegment::import_mapped(int descriptor, bool read_only) {
  const DriverApi& api = device_.api();
  is_imported_ = true;
  nbytes_ = rounded_up(nbytes_, granularity_on(device_));
  MemoryHandle handle = 0;
  // The driver takes the number itself in the place of a pointer.
  void* const shareable = reinterpret_cast<void*>(static_cast<std::uintptr_t>(descriptor));
  api.check(api.import_memory(&handle, shareable, kAsDescriptor), "cuMemImportFromShareableHandle");
  handle_ = handle;
  MemoryProperties properties{};
  api.check(api.memory_properties(&properties, handle_), "cuMemGetAllocationPropertiesFromHandle");
  if (properties.location.type != kOnDevice || properties.location.id != device_.number()) {
    throw Error(Errc::layout, "the memory is not on " + title(device_) + " but on device " +
                                  std::to_string(properties.location.id));
  }
  map(read_only);
  // The mapping keeps the memory.
  api.check(api.release_memory(handle_), "cuMemRelease");
  handle_ = 0;
}

void DeviceSegment::import_legacy(const IpcHandle& handle) {
  is_imported_ = true;
  Pointer pointer = 0;
  const Result result = device_.api().ipc_open_memory(&pointer, handle, kIpcLazyPeerAccess);
  device_.api().check(result, "cuIpcOpenMemHandle",
                      result == kInvalidContext
                          ? "a process opens no handle of its own, nor of one that has the same "
                            "number in another PID namespace"
                          : "");
  pointer_ = pointer;
}

void DeviceSegment::map(bool read_only) {
  const DriverApi& api = device_.api();
  Pointer pointer = 0;
  api.check(api.reserve_address(&pointer, nbytes_, 0, 0, 0), "cuMemAddressReserve");
  pointer_ = pointer;
  const Result result = api.map_memory(pointer_, nbytes_, 0, handle_, 0);
  if (is_imported_ && result == kInvalidValue) {
    throw Error(Errc::layout, "the memory on " + title(device_) + " is smaller than the " +
                                  std::to_string(nbytes_) + " bytes that it should have");
  }
  api.check(result, "cuMemMap");
  is_mapped_ = true;
  if (read_only) read_only_result_ = allow(kReadAccess);
  is_read_only_ = read_only && read_only_result_ == kSuccess;
  if (is_read_only_) return;
  // Some drivers know no memory that may only be read; then nothing but care protects it.
  if (read_only_result_ != kNotSupported && read_only_result_ != kInvalidValue) {
    api.check(read_only_result_, "cuMemSetAccess", "for reading");
  }
  api.check(allow(kReadWriteAccess), "cuMemSetAccess", "for reading and writing");
}

Result DeviceSegment::allow(int access) {
  const MemoryAccess wanted{{kOnDevice, device_.number()}, access};
  return device_.api().set_access(pointer_, nbytes_, &wanted, 1);
}

posix::UniqueFd DeviceSegment::export_descriptor() const {
  const CurrentContext current(device_);
  int descriptor = -1;
  device_.api().check(device_.api().export_memory(&descriptor, handle_, kAsDescriptor, 0),
                      "cuMemExportToShareableHandle", title(device_));
  posix::UniqueFd fd(descriptor);
  fd.close_on_exec();  // Not promised by the driver.
  return fd;
}

IpcHandle DeviceSegment::export_handle() const {
  const CurrentContext current(device_);
  IpcHandle handle{};
  device_.api().check(device_.api().ipc_memory_handle(&handle, pointer_), "cuIpcGetMemHandle",
                      title(device_));
  return handle;
}

}  // namespace clara_fastio::cuda
