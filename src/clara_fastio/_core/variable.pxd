# SPDX-License-Identifier: Apache-2.0
from clara_fastio._core.allocation cimport Allocation
from clara_fastio._core.libfastio cimport CDeclaration, CEntry


cdef class Variable(Allocation):
    pass


cdef CDeclaration declaration_of(
    object name, object shape, object dtype, object order, bint is_sealed, object queue
) except *
cdef int require_same(Allocation found, CEntry* entry, const CDeclaration& wanted) except -1
