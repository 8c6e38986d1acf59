# SPDX-License-Identifier: Apache-2.0
"""The answers of Jobs.List."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from clara_fastio.errors import InvalidRequestError
from clara_fastio.platform._proto import common_pb2, jobs_pb2
from clara_fastio.platform.records import job_listing
from clara_fastio.platform.records.job_listing import JobFilter
from clara_fastio.platform.records.states import JobState, JobStatus
from clara_fastio.platform.wire import timestamps
from clara_fastio.platform.wire.identifiers import parse_ids, to_wire

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping

    from sqlalchemy import Connection

    from clara_fastio.platform.records.database import Database
    from clara_fastio.platform.records.job_listing import ListedJob

Kind = TypeVar("Kind", JobState, JobStatus)

#: Jobs that are read and serialised at once, in a thread.
_PORTION = 1000
_FIRST_PORTION = 50
#: Pipelines in one filter: databases take some ten thousand values in one statement.
MOST_PIPELINES = 10_000
_NS = 1_000_000_000
#: The last second whose nanoseconds fit into the 64 bits of the records.
_LATEST = (1 << 63) // _NS - 1
#: Parts of answers that several jobs may share, kept by kind.
_SHARED = 4096
_GOOD = jobs_pb2.JobsListResponse(header=common_pb2.ResponseHeader()).SerializeToString()

_Details = jobs_pb2.JobsListResponse.JobDetails
#: Field 2 of the answer, which has a length.
_DETAILS_TAG = b"\x12"
_RUNNING = JobFilter(states=frozenset({JobState.RUNNING}))


def filter_of(request: jobs_pb2.JobsListRequest) -> JobFilter:
    """Read which jobs are wanted: without a filter those that run, with an empty one all.

    Raises
    ------
    InvalidRequestError
        A state, a status or an id is none, or there are too many ids.
    """
    if not request.HasField("filter"):
        return _RUNNING
    given = request.filter
    if len(given.pipeline_id) > MOST_PIPELINES:
        raise InvalidRequestError(
            f"the filter names {len(given.pipeline_id)} pipelines, and {MOST_PIPELINES} are the "
            "most; divide them among several calls, or leave them out to get all jobs"
        )
    return JobFilter(
        completed_before=_moment(given.completed_before),
        created_after=_moment(given.created_after),
        states=frozenset(_known(JobState, given.has_state)),
        statuses=frozenset(_known(JobStatus, given.has_status)),
        pipeline_ids=frozenset(parse_ids(given.pipeline_id, "pipeline")),
    )


async def listing(database: Database, wanted: JobFilter) -> AsyncGenerator[bytes]:
    """Give an answer for each job, oldest first; one without a job if there is none."""
    after, most, is_first = 0, _FIRST_PORTION, True
    while True:

        def read(
            connection: Connection, after: int = after, most: int = most
        ) -> tuple[int, list[bytes]]:
            rows, metadata = job_listing.portion(connection, wanted, after, most)
            return rows[-1].sequence if rows else after, [
                _answer(row, metadata.get(row.id)) for row in rows
            ]

        after, answers = await database.read(read)
        if is_first:
            # The header goes with the first answer: fields of a message may be joined.
            answers = [_GOOD + answers[0], *answers[1:]] if answers else [_GOOD]
            is_first = False
        for answer in answers:
            yield answer
        if len(answers) < most:
            return
        most = _PORTION


def _moment(timestamp: common_pb2.Timestamp) -> int | None:
    """Read a time as nanoseconds, as near as the records can have it; none where it is unset."""
    if timestamp.value <= 0:
        return None
    return min(max(timestamp.value - timestamps.EPOCH, 0), _LATEST) * _NS


def _known(kind: type[Kind], numbers: Iterable[int]) -> Iterator[Kind]:
    for number in numbers:
        try:
            yield kind(number)
        except ValueError as error:
            raise InvalidRequestError(
                f"{number} is no {kind.__name__}; known are "
                f"{', '.join(f'{each.value} ({each.name})' for each in kind)}"
            ) from error


def _answer(row: ListedJob, metadata: Mapping[str, str] | None) -> bytes:
    """Serialise an answer in parts: fields of a message may be joined, and most jobs share some."""
    own = _Details(job_name=row.name, metadata=metadata)
    own.job_id.value = row.id
    own.payload_id.value = row.payload_id
    details = (
        own.SerializeToString()
        + _pipeline(row.pipeline_id)
        + _state(row.state, row.status, row.priority)
        + _created(row.created // _NS)
    )
    if row.started is not None:
        details += _started(row.started // _NS)
    if row.stopped is not None:
        details += _stopped(row.stopped // _NS)
    return _DETAILS_TAG + _varint(len(details)) + details


@lru_cache(maxsize=_SHARED)
def _pipeline(pipeline_id: str) -> bytes:
    return _Details(pipeline_id=to_wire(pipeline_id)).SerializeToString()


@lru_cache(maxsize=_SHARED)
def _state(state: int, status: int, priority: int) -> bytes:
    return _Details(
        state=jobs_pb2.JobState.ValueType(state),
        status=jobs_pb2.JobStatus.ValueType(status),
        priority=jobs_pb2.JobPriority.ValueType(priority),
    ).SerializeToString()


@lru_cache(maxsize=_SHARED)
def _created(unix_seconds: int) -> bytes:
    moment = unix_seconds * _NS
    return _Details(
        timestamp_created=timestamps.as_text(moment), created=timestamps.to_wire(moment)
    ).SerializeToString()


@lru_cache(maxsize=_SHARED)
def _started(unix_seconds: int) -> bytes:
    moment = unix_seconds * _NS
    return _Details(
        timestamp_started=timestamps.as_text(moment), started=timestamps.to_wire(moment)
    ).SerializeToString()


@lru_cache(maxsize=_SHARED)
def _stopped(unix_seconds: int) -> bytes:
    moment = unix_seconds * _NS
    return _Details(
        timestamp_stopped=timestamps.as_text(moment), stopped=timestamps.to_wire(moment)
    ).SerializeToString()


def _varint(number: int) -> bytes:
    """Write a length as protobuf does: seven bits per byte, the lowest first."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)
