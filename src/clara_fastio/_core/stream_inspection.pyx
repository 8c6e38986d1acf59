# SPDX-License-Identifier: Apache-2.0
"""The counters of streams, for people."""

from libc.stdint cimport uint32_t

from clara_fastio._core.libfastio cimport (
    CEdgeInfo,
    CEntry,
    CPolicy,
    CStreamInfo,
    latency_of_bucket,
)

from clara_fastio.streams import ConsumerInfo, EdgeInfo, Policy, Queue, StreamInfo

cdef tuple _POLICIES = (None, *Policy)
cdef tuple _STATES = ("open", "finished", "died", "left")


cdef object _policy_text(CPolicy policy, uint32_t parameter):
    cdef uint32_t number = <uint32_t> policy
    if number >= <uint32_t> len(_POLICIES):  # Words that others may write.
        return "unknown"
    return f"sample({parameter})" if policy == CPolicy.sample else str(_POLICIES[number])


cdef object queue_of(CEntry* entry):
    if entry.queue().slots == 0:
        return None
    return Queue(
        depth=entry.queue().slots,
        policy=_policy_text(entry.queue().policy, entry.queue().parameter),
        max_shape=(entry.queue().slot_nbytes,) if entry.declared_shape().is_dynamic() else None,
        spin=entry.queue().spin_ns / 1e9,
    )


cdef object _edge_info(CEdgeInfo& edge):
    cdef uint32_t bucket
    taken = edge.taken
    return EdgeInfo(
        name=(<bytes> edge.name).decode(errors="replace"),
        policy=_policy_text(edge.policy, edge.parameter),
        is_shared=edge.is_shared,
        is_open=edge.is_open,
        offered=edge.accepted + edge.skipped,
        skipped=edge.skipped,
        accepted=edge.accepted,
        taken=taken,
        released=max(0, taken - <object> edge.held - <object> edge.lost),
        dropped=edge.dropped,
        unread=edge.unread,
        lost=edge.lost,
        late=edge.late,
        queued=edge.queued,
        held=edge.held,
        latencies=tuple([
            (latency_of_bucket(bucket) / 1e9, edge.latencies[bucket])
            for bucket in range(<uint32_t> edge.latencies.size()) if edge.latencies[bucket] != 0
        ]),
        consumers=tuple([
            ConsumerInfo(
                pid=member.pid, slot=member.slot, taken=member.taken, held=member.held,
                late=member.late, has_left=member.has_left
            )
            for member in edge.members
        ]),
    )


cdef object make_stream_info(CStreamInfo& info):
    cdef uint32_t state = <uint32_t> info.state
    return StreamInfo(
        depth=info.depth,
        policy=_policy_text(info.policy, info.parameter),
        slot_nbytes=info.slot_nbytes,
        state=_STATES[state] if state < <uint32_t> len(_STATES) else "unknown",
        produced=info.produced,
        unclaimed=info.unclaimed,
        blocked=info.blocked_ns / 1e9,
        edges=tuple([_edge_info(edge) for edge in info.edges]),
    )
