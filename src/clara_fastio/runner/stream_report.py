# SPDX-License-Identifier: Apache-2.0
"""What went through the streams of a job: the same shapes on the way and at the end."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ConsumerReport:
    """One process that took frames of an edge; `operator` is empty where it is not known."""

    operator: str
    pid: int
    taken: int
    held: int
    late: int
    has_left: bool


@dataclass(frozen=True)
class StreamEdgeReport:
    """The counters of one edge of a stream; see :class:`clara_fastio.streams.EdgeInfo`.

    `operators` take its frames, `share` is their group. `rate` are the frames a second that were
    taken of late, while the job runs, and on average at its end; `median` and `p99` are seconds
    from commit to take. All three are ``None`` where there are too few frames to tell. `remark`
    says in words what was lost.
    """

    name: str
    operators: tuple[str, ...]
    policy: str
    share: str | None
    deadline: float | None
    is_open: bool
    offered: int
    skipped: int
    accepted: int
    taken: int
    released: int
    dropped: int
    unread: int
    lost: int
    late: int
    queued: int
    held: int
    rate: float | None
    median: float | None
    p99: float | None
    consumers: tuple[ConsumerReport, ...]
    remark: str

    @property
    def target(self) -> str:
        """Who takes its frames, for people."""
        if self.share:
            return f"{self.share} ({', '.join(self.operators)})"
        return self.operators[0] if self.operators else self.name


@dataclass(frozen=True)
class StreamReport:
    """One stream: `operator` makes it as its `output`; `blocked` are seconds that it waited."""

    operator: str
    output: str
    state: str
    depth: int
    policy: str
    slot_nbytes: int
    produced: int
    unclaimed: int
    blocked: float
    rate: float | None
    edges: tuple[StreamEdgeReport, ...]
    remark: str


def remark_on_edge(edge: StreamEdgeReport) -> str:
    """Say in words what an edge lost; empty when every frame that entered was taken."""
    parts = []
    if edge.dropped:
        parts.append(f"{edge.dropped} dropped by its policy {edge.policy}")
    if edge.unread:
        parts.append(f"{edge.unread} left when nobody took them any more")
    if edge.lost:
        parts.append(f"{edge.lost} held by a consumer that died")
    if edge.late:
        parts.append(f"{edge.late} late")
    return f"of {edge.accepted} frames {', '.join(parts)}" if parts else ""


def remark_on_stream(produced: int, unclaimed: int) -> str:
    """Say in words how many frames nobody got."""
    return f"of {produced} frames {unclaimed} were made when nobody took any" if unclaimed else ""
