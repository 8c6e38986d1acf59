# SPDX-License-Identifier: Apache-2.0
from libc.stdint cimport uint32_t

from clara_fastio._core.libfastio cimport CElementType, CMapping, COrder, CShape, CWindow


cdef class _View:
    # Keeps the entry, with its reference bit, and the bytes mapped. Arrays have it as base.
    cdef CWindow _window


cdef object make_array(const CMapping* mapping)
cdef object array_over(
    const CShape& shape, CElementType element_type, COrder order, void* data, bint is_writable,
    const CWindow& window
)
cdef object array_based_on(
    object base, const CShape& shape, CElementType element_type, COrder order, void* data,
    bint is_writable
)
cdef void forbid_writing(object array) noexcept
cdef bint empty_array(object array)
cdef object export_dlpack(object array, object max_version, object device, object copy)
# The array has the address of the device, which nobody here may look behind.
cdef object export_device_dlpack(object array, int ordinal, object max_version)
cdef object device_array_of(object stand_in, int ordinal, object owner)

cdef uint32_t element_number(object dtype) except 0
cdef object dtype_of(CElementType element_type)
cdef object element_type_of(CElementType element_type)
cdef tuple shape_of(const CShape& shape)
