# SPDX-License-Identifier: Apache-2.0
from libcpp.memory cimport shared_ptr

from clara_fastio._core.allocation cimport Allocation
from clara_fastio._core.libfastio cimport CFrameWriter


cdef class Variable(Allocation):
    cdef shared_ptr[CFrameWriter] _writer  # of this process; null before the first frame

    cdef shared_ptr[CFrameWriter] _held_writer(self) except *
