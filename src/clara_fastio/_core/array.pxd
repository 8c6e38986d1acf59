# SPDX-License-Identifier: Apache-2.0
from libc.stdint cimport uint32_t

from clara_fastio._core.libfastio cimport CElementType, CMapping, CShape, CWindow


cdef class _View:
    # Keeps the entry, with its reference bit, and the bytes mapped. Arrays have it as base.
    cdef CWindow _window


cdef object make_array(const CMapping* mapping)
cdef bint empty_array(object array)
cdef object export_dlpack(object array, object max_version, object device, object copy)

cdef uint32_t element_number(object dtype) except 0
cdef object dtype_of(CElementType element_type)
cdef object element_type_of(CElementType element_type)
cdef tuple shape_of(const CShape& shape)
