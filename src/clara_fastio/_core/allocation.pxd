# SPDX-License-Identifier: Apache-2.0
from libcpp.memory cimport shared_ptr

from clara_fastio._core.libfastio cimport CEntry, CShape
from clara_fastio._core.mapping cimport OpenMappings


cdef class Allocation:
    cdef object __weakref__
    cdef shared_ptr[CEntry] _entry  # holds the context; null when released
    cdef OpenMappings _mappings
    cdef str _label                 # for messages when there is no entry any more

    # A copy, because another thread may release the object while this one waits.
    cdef shared_ptr[CEntry] _held(self) except *
    cdef CShape _shape(self) except *
    cdef object _default_mode(self)


cdef object wrap(Allocation made, shared_ptr[CEntry]& entry, object context)
