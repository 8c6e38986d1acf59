// SPDX-License-Identifier: Apache-2.0
// The functions that we load against the vendor's own declarations, where there are some: names
// with versions, and parameters in number, order and kind. Compiling it is the test.
#include <cuda.h>
#include <gtest/gtest.h>

#include <string_view>
#include <type_traits>

#include "cuda/driver_functions.hpp"

namespace clara_fastio::cuda {
namespace {

// Integers, pointers and structures of one size travel alike; names of types differ.
template <typename Ours, typename Theirs>
constexpr bool kTravelsAlike =
    sizeof(Ours) == sizeof(Theirs) && std::is_pointer_v<Ours> == std::is_pointer_v<Theirs> &&
    std::is_class_v<Ours> == std::is_class_v<Theirs>;

template <typename Ours, typename Theirs>
constexpr bool kCalledAlike = false;
template <typename... Ours, typename... Theirs>
  requires(sizeof...(Ours) == sizeof...(Theirs))
constexpr bool kCalledAlike<Result(Ours...), CUresult(Theirs...)> =
    (kTravelsAlike<Ours, Theirs> && ...);

// What the table says, by member.
#define TABLE(member, symbol, parameters)      \
  using member##_function = Result parameters; \
  constexpr std::string_view member##_symbol = symbol;
CLARA_FASTIO_CUDA_FUNCTIONS(TABLE)
CLARA_FASTIO_CUDA_OPTIONAL_FUNCTIONS(TABLE)
#undef TABLE

// The name is not expanded, because the vendor's macros would turn it into another version.
#define EXPECT_FUNCTION(member, symbol)      \
  static_assert(member##_symbol == #symbol); \
  static_assert(kCalledAlike<member##_function, decltype(symbol)>)

EXPECT_FUNCTION(init, cuInit);
EXPECT_FUNCTION(driver_version, cuDriverGetVersion);
EXPECT_FUNCTION(error_name, cuGetErrorName);
EXPECT_FUNCTION(error_text, cuGetErrorString);
EXPECT_FUNCTION(device_count, cuDeviceGetCount);
EXPECT_FUNCTION(device_get, cuDeviceGet);
EXPECT_FUNCTION(device_name, cuDeviceGetName);
EXPECT_FUNCTION(device_uuid, cuDeviceGetUuid_v2);
EXPECT_FUNCTION(device_attribute, cuDeviceGetAttribute);
EXPECT_FUNCTION(device_memory, cuDeviceTotalMem_v2);
EXPECT_FUNCTION(retain_primary, cuDevicePrimaryCtxRetain);
EXPECT_FUNCTION(release_primary, cuDevicePrimaryCtxRelease_v2);
EXPECT_FUNCTION(primary_state, cuDevicePrimaryCtxGetState);
EXPECT_FUNCTION(context_current, cuCtxGetCurrent);
EXPECT_FUNCTION(context_push, cuCtxPushCurrent_v2);
EXPECT_FUNCTION(context_pop, cuCtxPopCurrent_v2);
EXPECT_FUNCTION(memory_info, cuMemGetInfo_v2);
EXPECT_FUNCTION(granularity, cuMemGetAllocationGranularity);
EXPECT_FUNCTION(create_memory, cuMemCreate);
EXPECT_FUNCTION(release_memory, cuMemRelease);
EXPECT_FUNCTION(export_memory, cuMemExportToShareableHandle);
EXPECT_FUNCTION(import_memory, cuMemImportFromShareableHandle);
EXPECT_FUNCTION(memory_properties, cuMemGetAllocationPropertiesFromHandle);
EXPECT_FUNCTION(reserve_address, cuMemAddressReserve);
EXPECT_FUNCTION(free_address, cuMemAddressFree);
EXPECT_FUNCTION(map_memory, cuMemMap);
EXPECT_FUNCTION(unmap_memory, cuMemUnmap);
EXPECT_FUNCTION(set_access, cuMemSetAccess);
EXPECT_FUNCTION(allocate, cuMemAlloc_v2);
EXPECT_FUNCTION(free, cuMemFree_v2);
EXPECT_FUNCTION(ipc_memory_handle, cuIpcGetMemHandle);
EXPECT_FUNCTION(ipc_open_memory, cuIpcOpenMemHandle_v2);
EXPECT_FUNCTION(ipc_close_memory, cuIpcCloseMemHandle);
EXPECT_FUNCTION(ipc_event_handle, cuIpcGetEventHandle);
EXPECT_FUNCTION(ipc_open_event, cuIpcOpenEventHandle);
EXPECT_FUNCTION(event_create, cuEventCreate);
EXPECT_FUNCTION(event_destroy, cuEventDestroy_v2);
EXPECT_FUNCTION(event_record, cuEventRecord);
EXPECT_FUNCTION(event_query, cuEventQuery);
EXPECT_FUNCTION(stream_create, cuStreamCreate);
EXPECT_FUNCTION(stream_destroy, cuStreamDestroy_v2);
EXPECT_FUNCTION(stream_synchronize, cuStreamSynchronize);
EXPECT_FUNCTION(stream_query, cuStreamQuery);
EXPECT_FUNCTION(stream_wait_event, cuStreamWaitEvent);
EXPECT_FUNCTION(stream_write_value, cuStreamWriteValue64_v2);
EXPECT_FUNCTION(stream_wait_value, cuStreamWaitValue64_v2);
EXPECT_FUNCTION(stream_capturing, cuStreamIsCapturing);
EXPECT_FUNCTION(launch_host_function, cuLaunchHostFunc);
EXPECT_FUNCTION(register_host, cuMemHostRegister_v2);
EXPECT_FUNCTION(unregister_host, cuMemHostUnregister);
EXPECT_FUNCTION(host_device_pointer, cuMemHostGetDevicePointer_v2);
EXPECT_FUNCTION(copy_to_device, cuMemcpyHtoDAsync_v2);
EXPECT_FUNCTION(copy_to_host, cuMemcpyDtoHAsync_v2);
EXPECT_FUNCTION(copy_on_device, cuMemcpyDtoDAsync_v2);
EXPECT_FUNCTION(fill, cuMemsetD8Async);
EXPECT_FUNCTION(stream_id, cuStreamGetId);
#undef EXPECT_FUNCTION

constexpr int kChecked = 56;

TEST(AbiFunctions, are_all_checked) {
  int functions = 0;
#define COUNT(member, symbol, parameters) ++functions;
  CLARA_FASTIO_CUDA_FUNCTIONS(COUNT)
  CLARA_FASTIO_CUDA_OPTIONAL_FUNCTIONS(COUNT)
#undef COUNT
  EXPECT_EQ(functions, kChecked);
}

}  // namespace
}  // namespace clara_fastio::cuda
