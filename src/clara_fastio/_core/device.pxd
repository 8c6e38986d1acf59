# SPDX-License-Identifier: Apache-2.0
from clara_fastio._core.libfastio cimport CDeviceId, CEntry


# Of a number, "cuda:N" or a UUID; all zero for None.
cdef CDeviceId device_of(object device) except *
cdef object uuid_of(const CDeviceId& device)
cdef object transport_of(CEntry& entry)
