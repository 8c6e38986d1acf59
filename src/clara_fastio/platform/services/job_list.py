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
from clara_fastio.platform.wire.identifiers import parse_ids

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping

    from sqlalchemy import Connection

    from clara_fastio.platform.records.database import Database
    from clara_fastio.platform.records.job_listing import ListedJob

Kind = TypeVar("Kind", JobState, JobStatus)

#: Jobs that are read and serialised at once, in a thread.
_PORTION = 1000
_FIRST_PORTION = 50
_NS = 1_000_000_000
#: The last second whose nanoseconds fit into the 64 bits of the records.
_LATEST = (1 << 63) // _NS - 1
_GOOD = jobs_pb2.JobsListResponse(header=common_pb2.ResponseHeader()).SerializeToString()

_Details = jobs_pb2.JobsListResponse.JobDetails
_RUNNING = JobFilter(states=frozenset({JobState.RUNNING}))


def filter_of(request: jobs_pb2.JobsListRequest) -> JobFilter:
    """Read which jobs are wanted: without a filter those that run, with an empty one all.

    Raises
    ------
    InvalidRequestError
        A state, a status or an id is none.
    """
    if not request.HasField("filter"):
        return _RUNNING
    given = request.filter
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
    details = _Details(
        job_name=row.name,
        state=jobs_pb2.JobState.ValueType(row.state),
        status=jobs_pb2.JobStatus.ValueType(row.status),
        priority=jobs_pb2.JobPriority.ValueType(row.priority),
        metadata=metadata,
    )
    details.job_id.value = row.id
    details.payload_id.value = row.payload_id
    details.pipeline_id.value = row.pipeline_id
    details.timestamp_created, details.created.value = _time(row.created // _NS)
    if row.started is not None:
        details.timestamp_started, details.started.value = _time(row.started // _NS)
    if row.stopped is not None:
        details.timestamp_stopped, details.stopped.value = _time(row.stopped // _NS)
    return jobs_pb2.JobsListResponse(job_details=details).SerializeToString()


@lru_cache(maxsize=4096)
def _time(unix_seconds: int) -> tuple[str, int]:
    """Write a time in both forms; jobs of one moment share theirs."""
    return timestamps.as_text(unix_seconds * _NS), unix_seconds + timestamps.EPOCH
