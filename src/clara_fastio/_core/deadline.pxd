# SPDX-License-Identifier: Apache-2.0
from libc.stdint cimport int64_t


cdef class Deadline:
    cdef int64_t _end           # monotonic, in nanoseconds; -1 for never
    cdef readonly bint is_wait  # whether any waiting was asked for

    cdef int64_t next_slice(self) except -1


# Nanoseconds of a timeout in seconds; -1 for ever.
cdef int64_t wait_time(object timeout) except -2
