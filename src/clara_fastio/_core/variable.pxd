# SPDX-License-Identifier: Apache-2.0
from libcpp.memory cimport shared_ptr

from clara_fastio._core.allocation cimport Allocation
from clara_fastio._core.libfastio cimport CDeclaration, CEntry, CFrameWriter


cdef class Variable(Allocation):
    cdef shared_ptr[CFrameWriter] _writer  # of this process; null before the first frame

    cdef shared_ptr[CFrameWriter] _held_writer(self) except *


cdef CDeclaration declaration_of(
    object name, object shape, object dtype, object order, bint is_sealed, object queue
) except *
cdef int require_same(Allocation found, CEntry* entry, const CDeclaration& wanted) except -1
