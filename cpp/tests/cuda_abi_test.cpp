// SPDX-License-Identifier: Apache-2.0
// Our words for the driver's binary interface against the vendor's own header, where there is one:
// the program is empty, compiling it is the test.
#include <cuda.h>
#include <gtest/gtest.h>

#include <cstddef>

#include "cuda/driver_functions.hpp"

namespace clara_fastio::cuda {
namespace {

// Integers and pointers of one size are one to the binary interface; names of types differ.
template <typename Ours, typename Theirs>
constexpr bool kAlike = sizeof(Ours) == sizeof(Theirs) && alignof(Ours) == alignof(Theirs);

static_assert(kAlike<Result, CUresult> && kAlike<DeviceNumber, CUdevice>);
static_assert(kAlike<Pointer, CUdeviceptr> && kAlike<MemoryHandle, CUmemGenericAllocationHandle>);
static_assert(kAlike<Context, CUcontext> && kAlike<Stream, CUstream> && kAlike<Event, CUevent>);
static_assert(kAlike<HostFunction, CUhostFn> && kAlike<unsigned long long, cuuint64_t>);
static_assert(kAlike<Uuid, CUuuid> && kAlike<IpcHandle, CUipcMemHandle>);
static_assert(kAlike<IpcHandle, CUipcEventHandle>);

static_assert(kSuccess == CUDA_SUCCESS && kInvalidValue == CUDA_ERROR_INVALID_VALUE);
static_assert(kOutOfMemory == CUDA_ERROR_OUT_OF_MEMORY);
static_assert(kNotInitialized == CUDA_ERROR_NOT_INITIALIZED);
static_assert(kNoDevice == CUDA_ERROR_NO_DEVICE);
static_assert(kInvalidContext == CUDA_ERROR_INVALID_CONTEXT);
static_assert(kNotReady == CUDA_ERROR_NOT_READY && kNotPermitted == CUDA_ERROR_NOT_PERMITTED);
static_assert(kNotSupported == CUDA_ERROR_NOT_SUPPORTED);

// Two enumerations do not compare.
#define EXPECT_ATTRIBUTE(ours, theirs) static_assert(int{ours} == int{theirs})
EXPECT_ATTRIBUTE(kIntegrated, CU_DEVICE_ATTRIBUTE_INTEGRATED);
EXPECT_ATTRIBUTE(kComputeMode, CU_DEVICE_ATTRIBUTE_COMPUTE_MODE);
EXPECT_ATTRIBUTE(kUnifiedAddressing, CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING);
EXPECT_ATTRIBUTE(kComputeCapabilityMajor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
EXPECT_ATTRIBUTE(kComputeCapabilityMinor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
EXPECT_ATTRIBUTE(kCanUseHostPointer, CU_DEVICE_ATTRIBUTE_CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM);
EXPECT_ATTRIBUTE(kHostRegister, CU_DEVICE_ATTRIBUTE_HOST_REGISTER_SUPPORTED);
EXPECT_ATTRIBUTE(kVirtualMemory, CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED);
EXPECT_ATTRIBUTE(kPosixDescriptor, CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED);
EXPECT_ATTRIBUTE(kGpuDirectRdma, CU_DEVICE_ATTRIBUTE_GPU_DIRECT_RDMA_WITH_CUDA_VMM_SUPPORTED);
EXPECT_ATTRIBUTE(kReadOnlyHostRegister, CU_DEVICE_ATTRIBUTE_READ_ONLY_HOST_REGISTER_SUPPORTED);
EXPECT_ATTRIBUTE(kStreamMemoryOperations, CU_DEVICE_ATTRIBUTE_CAN_USE_64_BIT_STREAM_MEM_OPS);
EXPECT_ATTRIBUTE(kIpcEvents, CU_DEVICE_ATTRIBUTE_IPC_EVENT_SUPPORTED);
#undef EXPECT_ATTRIBUTE

static_assert(kAlike<MemoryLocation, CUmemLocation>);
static_assert(offsetof(MemoryLocation, type) == offsetof(CUmemLocation, type));
static_assert(offsetof(MemoryLocation, id) == offsetof(CUmemLocation, id));

static_assert(kAlike<MemoryProperties, CUmemAllocationProp>);
#define EXPECT_AT(ours, theirs)                                                              \
  static_assert(offsetof(MemoryProperties, ours) == offsetof(CUmemAllocationProp, theirs) && \
                sizeof(MemoryProperties::ours) == sizeof(CUmemAllocationProp::theirs))
EXPECT_AT(type, type);
EXPECT_AT(handle_types, requestedHandleTypes);
EXPECT_AT(location, location);
EXPECT_AT(win32, win32HandleMetaData);
EXPECT_AT(compression, allocFlags.compressionType);
EXPECT_AT(gpu_direct_rdma, allocFlags.gpuDirectRDMACapable);
EXPECT_AT(usage, allocFlags.usage);
EXPECT_AT(reserved, allocFlags.reserved);
#undef EXPECT_AT

static_assert(kAlike<MemoryAccess, CUmemAccessDesc>);
static_assert(offsetof(MemoryAccess, location) == offsetof(CUmemAccessDesc, location));
static_assert(offsetof(MemoryAccess, flags) == offsetof(CUmemAccessDesc, flags));

static_assert(kPinnedMemory == CU_MEM_ALLOCATION_TYPE_PINNED);
static_assert(kOnDevice == CU_MEM_LOCATION_TYPE_DEVICE);
static_assert(kAsDescriptor == CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR);
static_assert(kMinimumGranularity == CU_MEM_ALLOC_GRANULARITY_MINIMUM);
static_assert(kReadAccess == CU_MEM_ACCESS_FLAGS_PROT_READ);
static_assert(kReadWriteAccess == CU_MEM_ACCESS_FLAGS_PROT_READWRITE);

static_assert(kWaitGreaterEqual == CU_STREAM_WAIT_VALUE_GEQ);
static_assert(kEventDisableTiming == CU_EVENT_DISABLE_TIMING);
static_assert(kEventInterprocess == CU_EVENT_INTERPROCESS);
static_assert(kStreamNonBlocking == CU_STREAM_NON_BLOCKING);
static_assert(kIpcLazyPeerAccess == CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS);
static_assert(kRegisterPortable == CU_MEMHOSTREGISTER_PORTABLE);
static_assert(kRegisterDeviceMap == CU_MEMHOSTREGISTER_DEVICEMAP);
static_assert(kRegisterReadOnly == CU_MEMHOSTREGISTER_READ_ONLY);
static_assert(kCaptureNone == CU_STREAM_CAPTURE_STATUS_NONE);

// Pointers with a number are no constants.
TEST(Abi, streams_without_a_handle_have_the_vendors_numbers) {
  EXPECT_EQ(static_cast<void*>(kLegacyStream), static_cast<void*>(CU_STREAM_LEGACY));
  EXPECT_EQ(static_cast<void*>(kPerThreadStream), static_cast<void*>(CU_STREAM_PER_THREAD));
}

}  // namespace
}  // namespace clara_fastio::cuda
