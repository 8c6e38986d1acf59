# SPDX-License-Identifier: Apache-2.0
"""What a context holds, for people."""

from libc.stdint cimport int64_t

from clara_fastio._core.array cimport element_type_of, shape_of
from clara_fastio._core.device cimport uuid_of
from clara_fastio._core.libfastio cimport (
    CEntryInfo,
    CEntryKind,
    CEntryState,
    CMemory,
    COrder,
    CProcessInfo,
    kFrozen,
    kProducerDied,
)

import time

from clara_fastio.types import EntryInfo, MemoryKind, ProcessInfo

cdef dict _STATES = {
    <int> CEntryState.unpublished: "unpublished",
    <int> CEntryState.live: "live",
    <int> CEntryState.doomed: "freed",
}


cdef object entry_info(const CEntryInfo& info, dict producers):
    return EntryInfo(
        name=(<bytes> info.name).decode(errors="replace") or None,
        kind="variable" if info.kind == CEntryKind.variable else "allocation",
        dtype=element_type_of(info.element_type),
        shape=shape_of(info.shape),
        declared_shape=shape_of(info.declared),
        order="F" if info.order == COrder.column_major else "C",
        nbytes=0 if info.shape.is_dynamic() else info.shape.nbytes(info.element_type),
        capacity=info.capacity,
        memory=MemoryKind.DEVICE if info.device.memory == CMemory.device else MemoryKind.HOST,
        device=uuid_of(info.device.device),
        version=info.version,
        state=_STATES[<int> info.state],
        producer=producers.get(info.producer),
        is_frozen=(info.flags & kFrozen) != 0,
        is_orphaned=(info.flags & kProducerDied) != 0,
        writer=None if info.writer < 0 else info.writer,
        readers=tuple(info.readers),
        holders=tuple(info.references),
    )


cdef object process_info(const CProcessInfo& info):
    return ProcessInfo(
        slot=info.slot,
        pid=info.pid,
        role=(<bytes> info.role).decode(errors="replace"),
        state="quarantined" if info.is_quarantined else "live",
        age=max(0.0, (time.monotonic_ns() - <int64_t> info.since) / 1e9),
    )
