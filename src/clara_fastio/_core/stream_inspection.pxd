# SPDX-License-Identifier: Apache-2.0
from clara_fastio._core.libfastio cimport CEntry, CStreamInfo


cdef object queue_of(CEntry* entry)
cdef object make_stream_info(CStreamInfo& info)
