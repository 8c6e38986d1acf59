# SPDX-License-Identifier: Apache-2.0
from libcpp.memory cimport shared_ptr

from clara_fastio._core.libfastio cimport CContext, CEntry


cdef class Context:
    cdef object __weakref__
    cdef shared_ptr[CContext] _context  # entries hold it too; null when closed
    cdef str _name
    cdef str _role
    cdef bint _is_host
    cdef str _site                      # where it was opened, for the warning

    # A copy, because another thread may drop the object while this one waits.
    cdef shared_ptr[CContext] _held(self) except *
    cdef object _wrap(self, shared_ptr[CEntry]& entry)
    cdef object _find(self, object name)


# The one object of a context in this process.
cdef object context_of(shared_ptr[CContext]& context)
