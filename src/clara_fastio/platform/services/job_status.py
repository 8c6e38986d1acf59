# SPDX-License-Identifier: Apache-2.0
"""The status of jobs as it goes over the wire, kept serialised for those who ask on and on."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, TypeVar

from clara_fastio.platform._proto import common_pb2, jobs_pb2
from clara_fastio.platform.wire import timestamps
from clara_fastio.platform.wire.identifiers import to_wire

if TYPE_CHECKING:
    from clara_fastio.platform.jobs.blueprint import Blueprint
    from clara_fastio.platform.jobs.manager import JobManager
    from clara_fastio.platform.records.jobs import JobRecord

_Node = jobs_pb2.JobsStatusResponse.JobDagNode
_Details = jobs_pb2.JobsStatusResponse.JobOperatorDetails
Key = TypeVar("Key")

_KEPT_ANSWERS = 10_000
_KEPT_GRAPHS = 1_000


class StatusCache:
    """Serialised answers of Jobs.Status.

    When the record of a job has changed, its answer is replaced before anybody hears of the change.

    Thread safety: only on one loop.
    """

    def __init__(self, manager: JobManager) -> None:
        self._manager = manager
        self._answers: dict[str, bytes] = {}
        self._graphs: dict[tuple[str, str], bytes] = {}
        self._making: dict[str, asyncio.Task[bytes]] = {}
        manager.watch(self._replace)

    def get(self, job_id: str) -> bytes | None:
        """Give the answer for a job, if it is there."""
        return self._answers.get(job_id)

    async def make(self, job_id: str) -> bytes:
        """Make the answer for a job from the records; NotFoundError if there is no such job."""
        making = self._making.get(job_id)
        if making is None:
            making = self._making[job_id] = asyncio.create_task(self._make(job_id))
        return await asyncio.shield(making)  # Others wait for it, too.

    async def _make(self, job_id: str) -> bytes:
        try:
            job = await self._manager.find(job_id)
            key = _graph_key(job)
            if key not in self._graphs:
                blueprint = await self._manager.blueprints.find(job.definition_id, job.parameters)
                _keep(self._graphs, key, _graph(blueprint), _KEPT_GRAPHS)
            answer = _answer(job) + self._graphs[key]
            if self._is_current(job_id):
                _keep(self._answers, job_id, answer, _KEPT_ANSWERS)
            return answer
        finally:
            if self._is_current(job_id):
                del self._making[job_id]

    def _is_current(self, job_id: str) -> bool:
        """Whether the job has not changed since this task has begun to make its answer."""
        return self._making.get(job_id) is asyncio.current_task()

    def _replace(self, job: JobRecord) -> None:
        self._making.pop(job.id, None)
        graph = self._graphs.get(_graph_key(job))
        if graph is None:
            self._answers.pop(job.id, None)
        else:
            _keep(self._answers, job.id, _answer(job) + graph, _KEPT_ANSWERS)


def _keep(cache: dict[Key, bytes], key: Key, value: bytes, most: int) -> None:
    cache[key] = value
    if len(cache) > most:
        del cache[next(iter(cache))]


def _graph_key(job: JobRecord) -> tuple[str, str]:
    return job.definition_id, json.dumps(dict(job.parameters), sort_keys=True)


def _graph(blueprint: Blueprint | None) -> bytes:
    """Serialise the graph alone: fields of a message may be joined."""
    if blueprint is None:
        return b""
    nodes = [
        _Node(
            name=node.name,
            input_dependencies=[_Node(name=name) for name in node.inputs],
            order_dependencies=[_Node(name=name) for name in node.order],
        )
        for node in blueprint.graph
    ]
    return jobs_pb2.JobsStatusResponse(dag=nodes).SerializeToString()


def _answer(job: JobRecord) -> bytes:
    """Serialise all but the graph."""
    details = [
        _Details(
            name=operator.name,
            status=jobs_pb2.JobOperatorStatus.ValueType(operator.status),
            created=timestamps.to_wire(operator.created),
            started=timestamps.to_wire(operator.started),
            stopped=timestamps.to_wire(operator.stopped),
        )
        for operator in job.operators
    ]
    return jobs_pb2.JobsStatusResponse(
        header=common_pb2.ResponseHeader(),
        job_id=to_wire(job.id),
        pipeline_id=to_wire(job.pipeline_id),
        payload_id=to_wire(job.payload_id),
        state=jobs_pb2.JobState.ValueType(job.state),
        status=jobs_pb2.JobStatus.ValueType(job.status),
        name=job.name,
        messages=job.messages,
        priority=jobs_pb2.JobPriority.ValueType(job.priority),
        timestamp_created=timestamps.as_text(job.created),
        timestamp_started=timestamps.as_text(job.started),
        timestamp_stopped=timestamps.as_text(job.stopped),
        created=timestamps.to_wire(job.created),
        started=timestamps.to_wire(job.started),
        stopped=timestamps.to_wire(job.stopped),
        operator_details=details,
        metadata=job.metadata,
    ).SerializeToString()
