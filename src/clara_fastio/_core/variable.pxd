# SPDX-License-Identifier: Apache-2.0
from clara_fastio._core.allocation cimport Allocation


cdef class Variable(Allocation):
    pass
