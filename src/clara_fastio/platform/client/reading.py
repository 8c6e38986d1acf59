# SPDX-License-Identifier: Apache-2.0
"""From messages of the wire to models, and from words to the wire's numbers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from clara_fastio.errors import PlatformError
from clara_fastio.platform._proto import common_pb2, jobs_pb2
from clara_fastio.platform.client import models
from clara_fastio.platform.client.states import (
    JobPriority,
    JobState,
    JobStatus,
    OperatorStatus,
    PayloadType,
)
from clara_fastio.platform.wire import timestamps
from clara_fastio.platform.wire.definition_paths import fault_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from enum import StrEnum

    from clara_fastio.platform._proto import clara_pb2, payloads_pb2, pipelines_pb2

_Word = TypeVar("_Word", bound="StrEnum")
_Answer = TypeVar("_Answer")

#: The members are in the order of the wire's numbers, which begin with 0 for what is unknown.
_NS = 1_000_000_000


def word(kind: type[_Word], number: int) -> _Word:
    """Name a number of the wire; one that a later version may have added is unknown."""
    members = list(kind)
    return members[number if 0 <= number < len(members) else 0]


def number(value: StrEnum) -> Any:
    """Give the number of a word."""
    return list(type(value)).index(value)


def time(timestamp: common_pb2.Timestamp) -> datetime | None:
    """Read a time; none when it is not set."""
    unix_ns = timestamps.from_wire(timestamp)
    return None if unix_ns is None else datetime.fromtimestamp(unix_ns // _NS, UTC)


def to_timestamp(moment: datetime | None) -> common_pb2.Timestamp | None:
    """Write a time; one without a zone is local."""
    if moment is None:
        return None
    return timestamps.to_wire(int(moment.timestamp()) * _NS)


def _first(answers: list[_Answer]) -> _Answer:
    if not answers:
        raise PlatformError("the server ended its stream without a message; its log may say why")
    return answers[0]


def pipeline_info(details: pipelines_pb2.PipelinesListResponse.PipelineDetails) -> Any:
    """Read an entry of the list."""
    return models.PipelineInfo(
        id=details.pipeline_id.value, name=details.name, metadata=dict(details.metadata)
    )


def pipeline(answers: list[pipelines_pb2.PipelinesDetailsResponse]) -> models.Pipeline:
    """Put the parts together; the first has what is there once.

    Raises
    ------
    PlatformError
        There is none, or a path leads out of the definition's folder.
    """
    first = _first(answers)
    contents: dict[str, str] = {}
    for answer in answers:
        path = answer.definition.path
        if fault := fault_of(path):
            raise PlatformError(f"the server names a file of the definition wrongly: {fault}")
        contents[path] = contents.get(path, "") + answer.definition.content
    graph: dict[str, tuple[str, ...]] = {}
    unseen = list(reversed(first.dag))
    while unseen:
        node = unseen.pop()
        if not graph.get(node.name):
            graph[node.name] = tuple(following.name for following in node.next)
            unseen.extend(reversed(node.next))
    return models.Pipeline(
        id=first.pipeline_id.value,
        name=first.name,
        metadata=dict(first.metadata),
        files=tuple(
            models.DefinitionFile(path=path, content=content) for path, content in contents.items()
        ),
        graph=graph,
    )


def job_info(details: jobs_pb2.JobsListResponse.JobDetails) -> models.JobInfo:
    """Read an entry of the list."""
    return models.JobInfo(name=details.job_name, **_job_fields(details))


def job(answer: jobs_pb2.JobsStatusResponse) -> models.Job:
    """Read a job; what its operators depend on stands in the graph."""
    nodes = {node.name: node for node in answer.dag}
    empty = jobs_pb2.JobsStatusResponse.JobDagNode()
    return models.Job(
        name=answer.name,
        messages=tuple(answer.messages),
        operators=tuple(
            _operator(details, nodes.get(details.name, empty))
            for details in answer.operator_details
        ),
        **_job_fields(answer),
    )


def _job_fields(
    message: jobs_pb2.JobsListResponse.JobDetails | jobs_pb2.JobsStatusResponse,
) -> dict[str, Any]:
    return {
        "id": message.job_id.value,
        "pipeline_id": message.pipeline_id.value,
        "payload_id": message.payload_id.value,
        "state": word(JobState, message.state),
        "status": word(JobStatus, message.status),
        "priority": word(JobPriority, message.priority),
        "created": time(message.created),
        "started": time(message.started),
        "stopped": time(message.stopped),
        "metadata": dict(message.metadata),
    }


def _operator(
    details: jobs_pb2.JobsStatusResponse.JobOperatorDetails,
    node: jobs_pb2.JobsStatusResponse.JobDagNode,
) -> models.OperatorDetails:
    return models.OperatorDetails(
        name=details.name,
        status=word(OperatorStatus, details.status),
        created=time(details.created),
        started=time(details.started),
        stopped=time(details.stopped),
        input_dependencies=tuple(each.name for each in node.input_dependencies),
        order_dependencies=tuple(each.name for each in node.order_dependencies),
    )


def payload_file(details: payloads_pb2.PayloadFileDetails) -> models.PayloadFile:
    """Read a file; the server begins names with a slash."""
    return models.PayloadFile(
        name=details.name.lstrip("/"), size=details.size, mode=details.mode & 0o7777
    )


def payload(answers: list[payloads_pb2.PayloadsDetailsResponse]) -> models.PayloadInfo:
    """Put the answers together, one per file; the first has what is there once."""
    first = _first(answers)
    return models.PayloadInfo(
        id=first.payload_id.value,
        type=word(PayloadType, first.type),
        job_id=first.job_id.value,
        metadata=dict(first.metadata),
        files=tuple(payload_file(each.file) for each in answers if each.HasField("file")),
    )


def utilization(
    metrics: Iterable[clara_pb2.ClaraUtilizationResponse.GpuUtilization],
) -> tuple[models.GpuUtilization, ...]:
    """Read one sample of all GPUs."""
    return tuple(
        models.GpuUtilization(
            node=each.node_id,
            pcie=each.pcie_id,
            compute=each.compute_utilization,
            memory=each.memory_utilization,
            memory_free=each.memory_free,
            memory_used=each.memory_used,
            time=time(each.timestamp),
            processes=tuple(
                models.GpuProcess(name=process.name, job_id=process.job_id.value)
                for process in each.process_details
            ),
        )
        for each in metrics
    )
