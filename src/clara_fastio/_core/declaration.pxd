# SPDX-License-Identifier: Apache-2.0
from clara_fastio._core.libfastio cimport CDeclaration, CEdgeOptions, CEntry


cdef CEdgeOptions edge_of(object name, object policy, object share, object deadline) except *
cdef CDeclaration declaration_of(
    object name, object shape, object dtype, object order, bint is_sealed, object queue
) except *
cdef int set_memory(
    CDeclaration& declaration, object memory, object device, object fallback, object pinned
) except -1
cdef bint may_stage(object fallback) except -1
cdef int require_same(object found, CEntry* entry, const CDeclaration& wanted) except -1
