# SPDX-License-Identifier: Apache-2.0
from libc.stdint cimport int64_t, uint32_t
from libcpp.memory cimport shared_ptr

from clara_fastio._core.libfastio cimport CEdgeOptions, CEntry, CFrame, CFrameReader


cdef class _Hold:
    # Keeps a frame from being written again. Arrays have it as base.
    cdef shared_ptr[CFrameReader] _reader
    cdef uint32_t _slot


cdef class Frame:
    cdef _Hold _hold            # None when it was given back
    cdef CFrame _frame
    cdef object _array          # made when first asked for

    cdef int _give_back(self) except -1
    cdef CFrameReader* _held(self) except NULL


cdef class Frames:
    cdef shared_ptr[CFrameReader] _reader
    cdef object _context        # stays open as long as the subscription
    cdef str _name
    cdef int64_t _timeout
    cdef object _stream         # None is what is current at each step
    cdef bint _is_on_device
    cdef Frame _last
    cdef bint _is_over
    cdef bint _is_closed

    cdef Frame _try(self)
    cdef Frame _next(self, int64_t timeout)


cdef Frames subscribe(
    const shared_ptr[CEntry]& entry, object context, const CEdgeOptions& options, int64_t timeout,
    object stream
)
