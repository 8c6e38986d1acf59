# SPDX-License-Identifier: Apache-2.0
from libc.stdint cimport int64_t, uint64_t
from libcpp.memory cimport shared_ptr

from clara_fastio._core.libfastio cimport CFrameWriter


cdef class OpenFrame:
    cdef shared_ptr[CFrameWriter] _writer  # null when it has ended
    cdef object _context                   # stays open as long as the frame
    cdef object _array
    cdef uint64_t _number
    cdef bint _is_on_device

    cdef CFrameWriter* _opened(self) except NULL


cdef class FrameMaker:
    cdef shared_ptr[CFrameWriter] _writer
    cdef object _context
    cdef object _left                      # frames still to make; infinite is possible
    cdef int64_t _timeout
    cdef object _stream
    cdef OpenFrame _frame


cdef OpenFrame open_frame(
    const shared_ptr[CFrameWriter]& writer, object context, int64_t timeout, object shape, object number,
    object header, object stream
)
cdef int finish_stream(const shared_ptr[CFrameWriter]& writer) except -1
cdef FrameMaker make_frames(
    const shared_ptr[CFrameWriter]& writer, object context, object count, int64_t timeout,
    object stream
)
