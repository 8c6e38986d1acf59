# SPDX-License-Identifier: Apache-2.0
"""The streams of a job: places kept for their consumers, and their counters."""

from __future__ import annotations

import dataclasses
import math
import time
from typing import TYPE_CHECKING

from clara_fastio.errors import FreedError
from clara_fastio.runner.rate import Rate
from clara_fastio.runner.stream_report import (
    ConsumerReport,
    StreamEdgeReport,
    StreamReport,
    remark_on_edge,
    remark_on_stream,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from clara_fastio import EdgeInfo, StreamInfo, Variable
    from clara_fastio.pipeline import Operator, Output
    from clara_fastio.pipeline.model import Edge


#: What is told of an edge as it is.
_COUNTERS = (
    *("name", "policy", "is_open", "offered", "skipped", "accepted", "taken", "released"),
    *("dropped", "unread", "lost", "late", "queued", "held"),
)


class JobStream:
    """One stream of a job, watched by the runner.

    Parameters
    ----------
    operator, output
        Who makes it, and as what.
    variable
        Its variable, just declared.
    """

    def __init__(self, operator: Operator, output: Output, variable: Variable) -> None:
        self.operator = operator.name
        self.output = output.name or ""
        self._variable = variable
        self._edges: dict[str, Edge] = {}
        self._takers: dict[str, list[str]] = {}
        self._roles: dict[int, str] = {}
        self._produced = Rate()
        self._taken: dict[str, Rate] = {}
        self._info: StreamInfo = variable.stream

    def reserve(self, operator: str, edge: Edge) -> None:
        """Keep the frames of an edge for an operator that is still to come."""
        self._variable.reserve(
            edge.name,
            policy=edge.policy,
            share=edge.share is not None,
            deadline=edge.deadline,
            role=operator,
        )
        self._edges[edge.name] = edge
        self._takers.setdefault(edge.name, []).append(operator)
        self._taken[edge.name] = Rate()

    def release(self, operator: str) -> None:
        """Wait no longer for an operator that has ended; nothing when it was there."""
        for name, takers in self._takers.items():
            if operator in takers:
                try:
                    self._variable.unreserve(name, role=operator)
                except FreedError:  # An operator has freed it for everybody.
                    return

    @property
    def is_finished(self) -> bool:
        """Whether its producer has said that no frame follows."""
        self.look({})
        return self._info.state == "finished"

    def look(self, roles: Mapping[int, str]) -> None:
        """Read the counters; `roles` are the operators by process id."""
        self._roles.update(roles)
        try:
            self._info = self._variable.stream
        except FreedError:  # What was seen last stays.
            return
        now = time.monotonic()
        self._produced.see(now, self._info.produced)
        for edge in self._info.edges:
            self._taken.setdefault(edge.name, Rate()).see(now, edge.taken)

    def report(self, *, is_over: bool) -> StreamReport:
        """Say what went through it so far."""
        info = self._info
        pick: Callable[[Rate], float | None] = (
            (lambda rate: rate.mean) if is_over else (lambda rate: rate.recent)
        )
        return StreamReport(
            operator=self.operator,
            output=self.output,
            state=info.state,
            depth=info.depth,
            policy=info.policy,
            slot_nbytes=info.slot_nbytes,
            produced=info.produced,
            unclaimed=info.unclaimed,
            blocked=info.blocked,
            rate=pick(self._produced),
            edges=tuple(self._edge(edge, pick(self._taken[edge.name])) for edge in info.edges),
            remark=remark_on_stream(info.produced, info.unclaimed),
        )

    def taken_by(self, operator: str, edge_name: str) -> int:
        """Count the frames that an operator took of an edge."""
        found = next((edge for edge in self._info.edges if edge.name == edge_name), None)
        if found is None:
            return 0
        if len(self._takers.get(edge_name, [])) == 1:
            return found.taken
        return sum(each.taken for each in found.consumers if self._roles.get(each.pid) == operator)

    def _edge(self, edge: EdgeInfo, rate: float | None) -> StreamEdgeReport:
        declared = self._edges.get(edge.name)
        takers = tuple(self._takers.get(edge.name, ()))
        alone = takers[0] if len(takers) == 1 else ""
        consumers = tuple(
            ConsumerReport(
                self._roles.get(each.pid, alone),
                each.pid,
                each.taken,
                each.held,
                each.late,
                each.has_left,
            )
            for each in edge.consumers
        )
        report = StreamEdgeReport(
            operators=takers,
            share=declared.share if declared else None,
            deadline=declared.deadline if declared else None,
            rate=rate,
            median=_known(edge.latency(0.5)),
            p99=_known(edge.latency(0.99)),
            consumers=consumers,
            remark="",
            **{name: getattr(edge, name) for name in _COUNTERS},
        )
        return dataclasses.replace(report, remark=remark_on_edge(report))


def _known(seconds: float) -> float | None:
    return None if math.isnan(seconds) else seconds
