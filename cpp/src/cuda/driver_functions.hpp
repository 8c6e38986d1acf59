// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cuda/driver_abi.hpp"

/// Every function of the driver that the library calls: member of `DriverApi`, name in the driver
/// library, and parameters. All return a `Result`. The names are those that the driver library
/// exports, with the version that the parameters belong to.
///
/// clang-format off keeps it a table.
// clang-format off
#define CLARA_FASTIO_CUDA_FUNCTIONS(FUNCTION) \
  FUNCTION(init, "cuInit", (unsigned flags)) \
  FUNCTION(driver_version, "cuDriverGetVersion", (int* version)) \
  FUNCTION(error_name, "cuGetErrorName", (Result error, const char** name)) \
  FUNCTION(error_text, "cuGetErrorString", (Result error, const char** text)) \
  FUNCTION(device_count, "cuDeviceGetCount", (int* count)) \
  FUNCTION(device_get, "cuDeviceGet", (DeviceNumber* device, int ordinal)) \
  FUNCTION(device_name, "cuDeviceGetName", (char* name, int size, DeviceNumber device)) \
  FUNCTION(device_uuid, "cuDeviceGetUuid_v2", (Uuid* uuid, DeviceNumber device)) \
  FUNCTION(device_attribute, "cuDeviceGetAttribute", (int* value, int attribute, DeviceNumber device)) \
  FUNCTION(device_memory, "cuDeviceTotalMem_v2", (std::size_t* nbytes, DeviceNumber device)) \
  FUNCTION(retain_primary, "cuDevicePrimaryCtxRetain", (Context* context, DeviceNumber device)) \
  FUNCTION(release_primary, "cuDevicePrimaryCtxRelease_v2", (DeviceNumber device)) \
  FUNCTION(primary_state, "cuDevicePrimaryCtxGetState", (DeviceNumber device, unsigned* flags, int* active)) \
  FUNCTION(context_current, "cuCtxGetCurrent", (Context* context)) \
  FUNCTION(context_push, "cuCtxPushCurrent_v2", (Context context)) \
  FUNCTION(context_pop, "cuCtxPopCurrent_v2", (Context* context)) \
  FUNCTION(memory_info, "cuMemGetInfo_v2", (std::size_t* free, std::size_t* total)) \
  FUNCTION(granularity, "cuMemGetAllocationGranularity", (std::size_t* nbytes, const MemoryProperties* properties, int option)) \
  FUNCTION(create_memory, "cuMemCreate", (MemoryHandle* handle, std::size_t nbytes, const MemoryProperties* properties, unsigned long long flags)) \
  FUNCTION(release_memory, "cuMemRelease", (MemoryHandle handle)) \
  FUNCTION(export_memory, "cuMemExportToShareableHandle", (void* shareable, MemoryHandle handle, int type, unsigned long long flags)) \
  FUNCTION(import_memory, "cuMemImportFromShareableHandle", (MemoryHandle* handle, void* shareable, int type)) \
  FUNCTION(memory_properties, "cuMemGetAllocationPropertiesFromHandle", (MemoryProperties* properties, MemoryHandle handle)) \
  FUNCTION(reserve_address, "cuMemAddressReserve", (Pointer* pointer, std::size_t nbytes, std::size_t alignment, Pointer address, unsigned long long flags)) \
  FUNCTION(free_address, "cuMemAddressFree", (Pointer pointer, std::size_t nbytes)) \
  FUNCTION(map_memory, "cuMemMap", (Pointer pointer, std::size_t nbytes, std::size_t offset, MemoryHandle handle, unsigned long long flags)) \
  FUNCTION(unmap_memory, "cuMemUnmap", (Pointer pointer, std::size_t nbytes)) \
  FUNCTION(set_access, "cuMemSetAccess", (Pointer pointer, std::size_t nbytes, const MemoryAccess* access, std::size_t count)) \
  FUNCTION(allocate, "cuMemAlloc_v2", (Pointer* pointer, std::size_t nbytes)) \
  FUNCTION(free, "cuMemFree_v2", (Pointer pointer)) \
  FUNCTION(ipc_memory_handle, "cuIpcGetMemHandle", (IpcHandle* handle, Pointer pointer)) \
  FUNCTION(ipc_open_memory, "cuIpcOpenMemHandle_v2", (Pointer* pointer, IpcHandle handle, unsigned flags)) \
  FUNCTION(ipc_close_memory, "cuIpcCloseMemHandle", (Pointer pointer)) \
  FUNCTION(ipc_event_handle, "cuIpcGetEventHandle", (IpcHandle* handle, Event event)) \
  FUNCTION(ipc_open_event, "cuIpcOpenEventHandle", (Event* event, IpcHandle handle)) \
  FUNCTION(event_create, "cuEventCreate", (Event* event, unsigned flags)) \
  FUNCTION(event_destroy, "cuEventDestroy_v2", (Event event)) \
  FUNCTION(event_record, "cuEventRecord", (Event event, Stream stream)) \
  FUNCTION(event_query, "cuEventQuery", (Event event)) \
  FUNCTION(stream_create, "cuStreamCreate", (Stream* stream, unsigned flags)) \
  FUNCTION(stream_destroy, "cuStreamDestroy_v2", (Stream stream)) \
  FUNCTION(stream_synchronize, "cuStreamSynchronize", (Stream stream)) \
  FUNCTION(stream_query, "cuStreamQuery", (Stream stream)) \
  FUNCTION(stream_wait_event, "cuStreamWaitEvent", (Stream stream, Event event, unsigned flags)) \
  FUNCTION(stream_write_value, "cuStreamWriteValue64_v2", (Stream stream, Pointer address, std::uint64_t value, unsigned flags)) \
  FUNCTION(stream_wait_value, "cuStreamWaitValue64_v2", (Stream stream, Pointer address, std::uint64_t value, unsigned flags)) \
  FUNCTION(stream_capturing, "cuStreamIsCapturing", (Stream stream, int* status)) \
  FUNCTION(launch_host_function, "cuLaunchHostFunc", (Stream stream, HostFunction function, void* data)) \
  FUNCTION(register_host, "cuMemHostRegister_v2", (void* address, std::size_t nbytes, unsigned flags)) \
  FUNCTION(unregister_host, "cuMemHostUnregister", (void* address)) \
  FUNCTION(host_device_pointer, "cuMemHostGetDevicePointer_v2", (Pointer* pointer, void* address, unsigned flags)) \
  FUNCTION(copy_to_device, "cuMemcpyHtoDAsync_v2", (Pointer to, const void* from, std::size_t nbytes, Stream stream)) \
  FUNCTION(copy_to_host, "cuMemcpyDtoHAsync_v2", (void* to, Pointer from, std::size_t nbytes, Stream stream)) \
  FUNCTION(copy_on_device, "cuMemcpyDtoDAsync_v2", (Pointer to, Pointer from, std::size_t nbytes, Stream stream)) \
  FUNCTION(fill, "cuMemsetD8Async", (Pointer to, unsigned char value, std::size_t nbytes, Stream stream))

/// Not in every driver that the library works with: null where the driver has none.
#define CLARA_FASTIO_CUDA_OPTIONAL_FUNCTIONS(FUNCTION) \
  FUNCTION(stream_id, "cuStreamGetId", (Stream stream, unsigned long long* id))
// clang-format on
