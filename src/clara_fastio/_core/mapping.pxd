# SPDX-License-Identifier: Apache-2.0
from libc.stdint cimport int64_t, uint64_t
from libcpp cimport bool
from libcpp.memory cimport shared_ptr, unique_ptr

from clara_fastio._core.libfastio cimport CAccessMode, CEntry, CMapping


cdef class OpenMappings:
    # Of one allocation object. Mappings hold this; it holds none of them.
    cdef object context         # stays open as long as a mapping
    cdef Py_ssize_t count
    cdef size_t _sum            # of the addresses: with one mapping open, it is that one's

    cdef object only(self)


cdef class Mapping:
    cdef unique_ptr[CMapping] _mapping  # holds entry and block; null when closed
    cdef OpenMappings _siblings
    cdef object _array                  # made when first asked for; keeps itself alive
    cdef object _bound                  # in debug mode, what `with` has given out
    cdef object _exported               # a second array, which other protocols hold
    cdef bint _is_on_device
    cdef bint _is_exposed               # somebody was told its address, and holds the mapping
    cdef CAccessMode _mode
    cdef uint64_t _version
    cdef uint64_t _nbytes

    cdef CMapping* _opened(self) except NULL
    cdef object _source(self)
    cdef object _device_source(self)
    cdef int _wait(self, int64_t nanoseconds) except -1
    cdef int _end(self, bint is_commit) except -1
    cdef int _leave(self) except -1
    cdef int _device_ordinal(self) except -1
    cdef int _require_host(self, str what) except -1
    cdef int _check_left(self, object error) except -1


cdef CAccessMode access_mode(object mode, bint dirty) except *
cdef Mapping open_mapping(
    const shared_ptr[CEntry]& entry, CAccessMode mode, int64_t timeout,
    OpenMappings siblings, object stream
)
# The handle of the stream that device memory is used on; refuses one for memory of the host.
cdef size_t stream_of(const CEntry* entry, object stream) except? 0
