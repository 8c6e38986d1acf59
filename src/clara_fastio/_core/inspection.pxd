# SPDX-License-Identifier: Apache-2.0
from clara_fastio._core.libfastio cimport CEntryInfo, CProcessInfo


cdef object entry_info(const CEntryInfo& info, dict producers)
cdef object process_info(const CProcessInfo& info)
