// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

/// The part of the CUDA driver's binary interface that the library uses, in its own words, so that
/// nothing of CUDA is needed to build it. The numbers are those of the driver's documentation.
namespace clara_fastio::cuda {

using Result = int;
using DeviceNumber = int;
using Pointer = unsigned long long;
using MemoryHandle = unsigned long long;
using Context = struct ContextTag*;
using Stream = struct StreamTag*;
using Event = struct EventTag*;

inline constexpr Result kSuccess = 0;
inline constexpr Result kInvalidValue = 1;
inline constexpr Result kOutOfMemory = 2;
inline constexpr Result kNotInitialized = 3;
inline constexpr Result kNoDevice = 100;
inline constexpr Result kInvalidContext = 201;
inline constexpr Result kNotReady = 600;
inline constexpr Result kNotPermitted = 800;
inline constexpr Result kNotSupported = 801;

/// The two streams without a handle of their own.
inline const Stream kLegacyStream = reinterpret_cast<Stream>(1);
inline const Stream kPerThreadStream = reinterpret_cast<Stream>(2);

enum Attribute : int {
  kIntegrated = 18,
  kComputeMode = 20,
  kUnifiedAddressing = 41,
  kComputeCapabilityMajor = 75,
  kComputeCapabilityMinor = 76,
  kCanUseHostPointer = 91,
  kHostRegister = 99,
  kVirtualMemory = 102,
  kPosixDescriptor = 103,
  kGpuDirectRdma = 110,  ///< of memory of its own
  kReadOnlyHostRegister = 113,
  kStreamMemoryOperations = 122,  ///< with 64 bits
  kIpcEvents = 125,
};

struct Uuid {
  unsigned char bytes[16];

  bool operator==(const Uuid&) const = default;
};

struct MemoryLocation {
  int type;  ///< 1: a device
  int id;
};

struct MemoryProperties {
  int type;          ///< 1: pinned
  int handle_types;  ///< 1: a POSIX descriptor
  MemoryLocation location;
  void* win32;
  unsigned char compression;
  unsigned char gpu_direct_rdma;
  unsigned short usage;
  unsigned char reserved[4];
};
static_assert(sizeof(MemoryProperties) == 32);

struct MemoryAccess {
  MemoryLocation location;
  int flags;
};
static_assert(sizeof(MemoryAccess) == 12);

inline constexpr int kPinnedMemory = 1;
inline constexpr int kOnDevice = 1;
inline constexpr int kAsDescriptor = 1;
inline constexpr int kMinimumGranularity = 0;
inline constexpr int kReadAccess = 1;
inline constexpr int kReadWriteAccess = 3;

struct IpcHandle {
  char bytes[64];
};

inline constexpr unsigned kWaitGreaterEqual = 0;
inline constexpr unsigned kEventDisableTiming = 2;
inline constexpr unsigned kEventInterprocess = 4;
inline constexpr unsigned kStreamNonBlocking = 1;
inline constexpr unsigned kIpcLazyPeerAccess = 1;
inline constexpr unsigned kRegisterPortable = 1;
inline constexpr unsigned kRegisterDeviceMap = 2;
inline constexpr unsigned kRegisterReadOnly = 8;
inline constexpr int kCaptureNone = 0;

using HostFunction = void (*)(void* data);

}  // namespace clara_fastio::cuda
