# SPDX-License-Identifier: Apache-2.0
"""Waits that end in time, and that Ctrl-C ends at any time."""

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int64_t

import time

from clara_fastio._core import arguments

# Between slices Python looks for signals, and the core for the death of the host.
cdef int64_t SLICE = 100_000_000

cdef object _ZERO = 0


cdef int64_t wait_time(object timeout) except -2:
    # The usual ones are worth not being looked at closer.
    if timeout is _ZERO:
        return 0
    if timeout is None:
        return -1
    cdef double seconds
    if type(timeout) is float or type(timeout) is int:
        seconds = timeout
        if 0 <= seconds <= 1e9:
            return <int64_t> (seconds * 1e9)
    return arguments.nanoseconds(timeout)


cdef class Deadline:
    """The end of a wait, which is slept through in slices."""

    def __cinit__(self, int64_t length):
        self.is_wait = length != 0
        self._end = -1 if length < 0 else time.monotonic_ns() + length

    cdef int64_t next_slice(self) except -1:
        """Handle signals; give the nanoseconds to sleep, 0 when the wait is over."""
        PyErr_CheckSignals()
        if self._end < 0:
            return SLICE
        return max(0, min(SLICE, self._end - <int64_t> time.monotonic_ns()))
