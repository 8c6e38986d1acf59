# SPDX-License-Identifier: Apache-2.0
# The structures of DLPack 1.0, by which array libraries hand memory to each other.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    CPU = 1
    CUDA = 2
    READ_ONLY = 1
    IS_COPIED = 2

cdef struct Device:
    int32_t device_type
    int32_t device_id

cdef struct DataType:
    uint8_t code
    uint8_t bits
    uint16_t lanes

cdef struct Tensor:
    void* data
    Device device
    int32_t ndim
    DataType dtype
    int64_t* shape
    int64_t* strides
    uint64_t byte_offset

cdef struct ManagedTensor:
    Tensor tensor
    void* manager
    void (*deleter)(ManagedTensor*) noexcept

cdef struct Version:
    uint32_t major
    uint32_t minor

cdef struct VersionedTensor:
    Version version
    void* manager
    void (*deleter)(VersionedTensor*) noexcept
    uint64_t flags
    Tensor tensor
