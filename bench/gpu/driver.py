# SPDX-License-Identifier: Apache-2.0
"""The CUDA driver through ctypes: the functions that probes and twins need, and no more.

Names and parameters are those of ``cpp/src/cuda/driver_functions.hpp``; what the library itself has
no use for (events with times, the driver's own pinned memory, pools) is added. What a driver lacks
is missed only when it is called. ``CLARA_FASTIO_CUDA_DRIVER`` names another, as for ours.
"""

from __future__ import annotations

import ctypes
import os
from ctypes import byref, c_char, c_float, c_int, c_size_t, c_ubyte, c_uint, c_uint64, c_void_p
from typing import Any

POSIX_DESCRIPTOR = 1
READ, READ_WRITE = 1, 3
EVENT_DISABLE_TIMING, EVENT_INTERPROCESS = 2, 4
REGISTER_PORTABLE_AND_MAPPED, REGISTER_READ_ONLY = 3, 8
NON_BLOCKING = 1
ATTRIBUTES = {
    "INTEGRATED": 18,
    "COMPUTE_MODE": 20,
    "MULTIPROCESSOR_COUNT": 16,
    "HOST_REGISTER_SUPPORTED": 99,
    "VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED": 102,
    "HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED": 103,
    "GPU_DIRECT_RDMA_WITH_CUDA_VMM_SUPPORTED": 110,
    "READ_ONLY_HOST_REGISTER_SUPPORTED": 113,
    "MEMORY_POOLS_SUPPORTED": 115,
    "CAN_USE_64_BIT_STREAM_MEM_OPS": 122,
    "IPC_EVENT_SUPPORTED": 125,
    "HANDLE_TYPE_FABRIC_SUPPORTED": 128,
}


class CudaError(Exception):
    """The driver refused a call.

    Parameters
    ----------
    call
        Its name.
    status
        What it returned.
    name
        The name of that.
    """

    def __init__(self, call: str, status: int, name: str) -> None:
        super().__init__(f"{call}: {name} ({status})")
        self.status = status


class Location(ctypes.Structure):
    """Where memory is."""

    _fields_ = (("type", c_int), ("id", c_int))


class Properties(ctypes.Structure):
    """What memory is to be (CUmemAllocationProp)."""

    _fields_ = (
        ("type", c_int),
        ("handle_types", c_int),
        ("location", Location),
        ("win32", c_void_p),
        ("compression", c_ubyte),
        ("gpu_direct_rdma", c_ubyte),
        ("usage", ctypes.c_ushort),
        ("reserved", c_ubyte * 4),
    )


class Access(ctypes.Structure):
    """Who may do what with a mapping."""

    _fields_ = (("location", Location), ("flags", c_int))


class IpcHandle(ctypes.Structure):
    """Of memory or an event."""

    _fields_ = (("bytes", c_char * 64),)

    @classmethod
    def of(cls, text: str) -> IpcHandle:
        """Read it from hexadecimal digits."""
        return cls.from_buffer_copy(bytes.fromhex(text))

    def text(self) -> str:
        """Write it as hexadecimal digits."""
        return bytes(self).hex()


class PoolProperties(ctypes.Structure):
    """What a memory pool is to be (CUmemPoolProps)."""

    _fields_ = (
        ("type", c_int),
        ("handle_types", c_int),
        ("location", Location),
        ("win32", c_void_p),
        ("maximum", c_size_t),
        ("usage", ctypes.c_ushort),
        ("reserved", c_ubyte * 54),
    )


class PoolPointer(ctypes.Structure):
    """A pointer of a pool for another process."""

    _fields_ = (("bytes", c_char * 64),)


#: Handles, addresses and sizes have 64 bits; ctypes would pass plain numbers as 32.
_POINTER = c_uint64


class Driver:
    """The driver, with the primary context of one device current in this thread."""

    def __init__(self, ordinal: int = 0) -> None:
        self.path = os.environ.get("CLARA_FASTIO_CUDA_DRIVER", "libcuda.so.1")
        self._library = ctypes.CDLL(self.path)
        self.call("cuInit", c_uint(0))
        self.device = c_int()
        self.call("cuDeviceGet", byref(self.device), c_int(ordinal))
        self._context = c_void_p()
        self.call("cuDevicePrimaryCtxRetain", byref(self._context), self.device)
        self.enter()

    def enter(self) -> None:
        """Make the context current in the calling thread."""
        self.call("cuCtxPushCurrent_v2", self._context)

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function; raise when it does not return success."""
        status = self.attempt(name, *arguments)
        if status:
            raise CudaError(name, status, self.name_of(status))

    def attempt(self, name: str, *arguments: Any) -> int:
        """Call a function and give what it returns."""
        return int(getattr(self._library, name)(*arguments))

    def name_of(self, status: int) -> str:
        """Name what a call returned."""
        name = ctypes.c_char_p()
        self._library.cuGetErrorName(c_int(status), byref(name))
        return (name.value or b"unknown").decode()

    def version(self) -> tuple[int, int]:
        """Of CUDA, that the driver speaks."""
        found = c_int()
        self.call("cuDriverGetVersion", byref(found))
        return found.value // 1000, found.value % 1000 // 10

    def attribute(self, number: int) -> int:
        """Read an attribute of the device."""
        found = c_int()
        self.call("cuDeviceGetAttribute", byref(found), c_int(number), self.device)
        return found.value

    def device_name(self) -> str:
        """Name of the device."""
        name = ctypes.create_string_buffer(256)
        self.call("cuDeviceGetName", name, c_int(256), self.device)
        return name.value.decode()

    def free_memory(self) -> int:
        """Bytes that are free on the device."""
        free, total = c_size_t(), c_size_t()
        self.call("cuMemGetInfo_v2", byref(free), byref(total))
        return free.value

    def properties(self) -> Properties:
        """Describe memory of the device that can be exported as a descriptor."""
        found = Properties()
        found.type, found.handle_types = 1, POSIX_DESCRIPTOR
        found.location = Location(1, self.device.value)
        return found

    def granularity(self, option: int = 0) -> int:
        """Bytes that such memory is made in multiples of: the least (0), or what is best (1)."""
        found = c_size_t()
        properties = self.properties()
        self.call("cuMemGetAllocationGranularity", byref(found), byref(properties), c_int(option))
        return found.value

    def create(self, nbytes: int) -> int:
        """Make physical memory; give its handle."""
        handle, properties = c_uint64(), self.properties()
        self.call("cuMemCreate", byref(handle), c_size_t(nbytes), byref(properties), c_uint64(0))
        return handle.value

    def export(self, handle: int) -> int:
        """Export physical memory; give a descriptor."""
        descriptor = c_int(-1)
        self.call(
            "cuMemExportToShareableHandle",
            byref(descriptor),
            _POINTER(handle),
            c_int(POSIX_DESCRIPTOR),
            c_uint64(0),
        )
        return descriptor.value

    def take(self, descriptor: int) -> int:
        """Import physical memory; give its handle."""
        handle = c_uint64()
        self.call(
            "cuMemImportFromShareableHandle",
            byref(handle),
            c_void_p(descriptor),
            c_int(POSIX_DESCRIPTOR),
        )
        return handle.value

    def map(self, handle: int, nbytes: int, access: int = READ_WRITE) -> int:
        """Give physical memory an address."""
        pointer = c_uint64()
        self.call(
            "cuMemAddressReserve",
            byref(pointer),
            c_size_t(nbytes),
            c_size_t(0),
            _POINTER(0),
            c_uint64(0),
        )
        self.call("cuMemMap", pointer, c_size_t(nbytes), c_size_t(0), _POINTER(handle), c_uint64(0))
        self.set_access(pointer.value, nbytes, access)
        return pointer.value

    def set_access(self, pointer: int, nbytes: int, access: int) -> None:
        """Say what the device may do at an address."""
        allowed = Access(Location(1, self.device.value), access)
        self.call(
            "cuMemSetAccess", _POINTER(pointer), c_size_t(nbytes), byref(allowed), c_size_t(1)
        )

    def unmap(self, pointer: int, nbytes: int) -> None:
        """Take an address back."""
        self.call("cuMemUnmap", _POINTER(pointer), c_size_t(nbytes))
        self.call("cuMemAddressFree", _POINTER(pointer), c_size_t(nbytes))

    def release(self, handle: int) -> None:
        """Let go of physical memory."""
        self.call("cuMemRelease", _POINTER(handle))

    def allocate(self, nbytes: int) -> int:
        """Allocate as everybody does."""
        pointer = c_uint64()
        self.call("cuMemAlloc_v2", byref(pointer), c_size_t(nbytes))
        return pointer.value

    def free(self, pointer: int) -> None:
        """Free what `allocate` gave."""
        self.call("cuMemFree_v2", _POINTER(pointer))

    def ipc_handle(self, pointer: int) -> IpcHandle:
        """Give the legacy handle of memory."""
        handle = IpcHandle()
        self.call("cuIpcGetMemHandle", byref(handle), _POINTER(pointer))
        return handle

    def open_ipc(self, handle: IpcHandle) -> int:
        """Open memory by its legacy handle."""
        pointer = c_uint64()
        self.call("cuIpcOpenMemHandle_v2", byref(pointer), handle, c_uint(1))
        return pointer.value

    def close_ipc(self, pointer: int) -> None:
        """Close what `open_ipc` gave."""
        self.call("cuIpcCloseMemHandle", _POINTER(pointer))

    def stream(self) -> int:
        """Make a stream that waits for no other."""
        stream = c_void_p()
        self.call("cuStreamCreate", byref(stream), c_uint(NON_BLOCKING))
        return stream.value or 0

    def synchronize(self, stream: int) -> None:
        """Wait until a stream has done everything."""
        self.call("cuStreamSynchronize", c_void_p(stream))

    def event(self, flags: int = 0) -> int:
        """Make an event."""
        event = c_void_p()
        self.call("cuEventCreate", byref(event), c_uint(flags))
        return event.value or 0

    def record(self, event: int, stream: int) -> None:
        """Have an event tell when a stream gets there."""
        self.call("cuEventRecord", c_void_p(event), c_void_p(stream))

    def wait_event(self, stream: int, event: int) -> None:
        """Have a stream wait for an event."""
        self.call("cuStreamWaitEvent", c_void_p(stream), c_void_p(event), c_uint(0))

    def event_handle(self, event: int) -> IpcHandle:
        """Give the handle of an interprocess event."""
        handle = IpcHandle()
        self.call("cuIpcGetEventHandle", byref(handle), c_void_p(event))
        return handle

    def open_event(self, handle: IpcHandle) -> int:
        """Open an event of another process."""
        event = c_void_p()
        self.call("cuIpcOpenEventHandle", byref(event), handle)
        return event.value or 0

    def elapsed_ns(self, first: int, last: int) -> int:
        """Nanoseconds of the device between two events that are done."""
        found = c_float()
        # The newer name where there is one; both take the same.
        name = "cuEventElapsedTime_v2"
        if not hasattr(self._library, name):
            name = "cuEventElapsedTime"
        self.call(name, byref(found), c_void_p(first), c_void_p(last))
        return round(found.value * 1e6)

    def register(
        self, address: int, nbytes: int, flags: int = REGISTER_PORTABLE_AND_MAPPED
    ) -> None:
        """Pin host memory."""
        self.call("cuMemHostRegister_v2", c_void_p(address), c_size_t(nbytes), c_uint(flags))

    def unregister(self, address: int) -> None:
        """Unpin it."""
        self.call("cuMemHostUnregister", c_void_p(address))

    def host_pointer(self, address: int) -> int:
        """Where the device finds pinned host memory."""
        pointer = c_uint64()
        self.call("cuMemHostGetDevicePointer_v2", byref(pointer), c_void_p(address), c_uint(0))
        return pointer.value

    def allocate_host(self, nbytes: int) -> int:
        """Allocate pinned host memory of the driver's own."""
        address = c_void_p()
        self.call("cuMemHostAlloc", byref(address), c_size_t(nbytes), c_uint(1))
        return address.value or 0

    def free_host(self, address: int) -> None:
        """Free what `allocate_host` gave."""
        self.call("cuMemFreeHost", c_void_p(address))

    def write_value(self, stream: int, pointer: int, value: int) -> None:
        """Have a stream write a word when it gets there."""
        self.call(
            "cuStreamWriteValue64_v2",
            c_void_p(stream),
            _POINTER(pointer),
            c_uint64(value),
            c_uint(0),
        )

    def wait_value(self, stream: int, pointer: int, value: int) -> None:
        """Have a stream wait until a word is so large."""
        self.call(
            "cuStreamWaitValue64_v2",
            c_void_p(stream),
            _POINTER(pointer),
            c_uint64(value),
            c_uint(0),
        )

    def fill(self, pointer: int, value: int, nbytes: int, stream: int) -> None:
        """Write one value to all bytes."""
        self.call(
            "cuMemsetD8Async",
            _POINTER(pointer),
            c_ubyte(value),
            c_size_t(nbytes),
            c_void_p(stream),
        )

    def copy(self, to: int, source: int, nbytes: int, stream: int) -> None:
        """Copy within the device."""
        self.call(
            "cuMemcpyDtoDAsync_v2",
            _POINTER(to),
            _POINTER(source),
            c_size_t(nbytes),
            c_void_p(stream),
        )

    def to_device(self, to: int, address: int, nbytes: int, stream: int) -> None:
        """Copy from the host to the device."""
        self.call(
            "cuMemcpyHtoDAsync_v2",
            _POINTER(to),
            c_void_p(address),
            c_size_t(nbytes),
            c_void_p(stream),
        )

    def to_host(self, address: int, source: int, nbytes: int, stream: int) -> None:
        """Copy from the device to the host."""
        self.call(
            "cuMemcpyDtoHAsync_v2",
            c_void_p(address),
            _POINTER(source),
            c_size_t(nbytes),
            c_void_p(stream),
        )

    def first_bytes(self, pointer: int, number: int = 1) -> bytes:
        """Fetch the first bytes of device memory, after everything before."""
        found = ctypes.create_string_buffer(number)
        stream = self.stream()
        self.to_host(ctypes.addressof(found), pointer, number, stream)
        self.synchronize(stream)
        self.call("cuStreamDestroy_v2", c_void_p(stream))
        return found.raw
