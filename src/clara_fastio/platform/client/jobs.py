# SPDX-License-Identifier: Apache-2.0
"""The jobs of a server."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from clara_fastio.errors import DeadlineExceededError
from clara_fastio.platform._proto import jobs_pb2
from clara_fastio.platform.client import reading
from clara_fastio.platform.client.models import Job, JobInfo, JobToken, NewJob
from clara_fastio.platform.client.states import JobPriority, JobState, JobStatus
from clara_fastio.platform.wire.identifiers import parse_id, to_wire

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Mapping

    from clara_fastio.platform._proto import common_pb2
    from clara_fastio.platform.client.models import JobFilter
    from clara_fastio.platform.client.transport import Transport

#: The name under which the log of the job itself is read.
RUNNER_LOG = "clara-pod-manager"

#: Seconds between two looks at a job, while it changes and when nothing has happened for long.
_SOONEST, _LATEST = 0.1, 2.0


class AsyncJobs:
    """Runs of pipelines.

    Every method raises `UnavailableError`, `DeadlineExceededError`, `UnauthenticatedError` and
    `PermissionDeniedError`; those that take an id `NotFoundError` and `InvalidRequestError`.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def create(
        self,
        pipeline_id: str,
        name: str,
        *,
        priority: JobPriority = JobPriority.NORMAL,
        input_payloads: Iterable[str] = (),
        metadata: Mapping[str, str] | None = None,
    ) -> NewJob:
        """Create a job with its payload; it waits to be filled and started.

        Parameters
        ----------
        pipeline_id
            What it runs.
        name
            For people.
        priority
            How often it is chosen from the queue.
        input_payloads
            Ids of reusable payloads whose files become its input, in this order.
        metadata
            Pairs to be kept with it.

        Raises
        ------
        AlreadyExistsError
            Two of the payloads have a file of the same name, or two keys differ by case only.
        """
        answer = await self._transport.call(
            "Jobs",
            "Create",
            pipeline_id=to_wire(parse_id(pipeline_id, "pipeline")),
            name=name,
            priority=reading.number(priority),
            input_payloads=[to_wire(parse_id(each, "payload")) for each in input_payloads],
            metadata=metadata or {},
        )
        return NewJob(id=answer.job_id.value, payload_id=answer.payload_id.value)

    async def start(self, job_id: str, arguments: Mapping[str, str] | None = None) -> JobToken:
        """Queue a job; its payload can no longer be written.

        Parameters
        ----------
        job_id
            Of a job that was not started yet.
        arguments
            Values of the pipeline's parameters.

        Raises
        ------
        DefinitionError
            The pipeline is wrong with these arguments.
        PreconditionError
            The job is over, or was started with other arguments.
        """
        found = parse_id(job_id, "job")
        answer = await self._transport.call(
            "Jobs",
            "Start",
            job_id=to_wire(found),
            Variables=[
                jobs_pb2.JobsStartRequest.NamedValue(name=name, value=value)
                for name, value in (arguments or {}).items()
            ],
        )
        return JobToken(
            id=found,
            state=reading.word(JobState, answer.state),
            status=reading.word(JobStatus, answer.status),
            priority=reading.word(JobPriority, answer.priority),
        )

    async def cancel(self, job_id: str, reason: str = "") -> JobToken:
        """Stop a job, before or while it runs; one that is stopped already stays what it is.

        Parameters
        ----------
        job_id
            Of any job.
        reason
            Becomes one of its messages.
        """
        found = parse_id(job_id, "job")
        answer = await self._transport.call("Jobs", "Cancel", job_id=to_wire(found), reason=reason)
        return JobToken(
            id=found,
            state=reading.word(JobState, answer.job_state),
            status=reading.word(JobStatus, answer.job_status),
        )

    async def get(self, job_id: str) -> Job:
        """Give a job with its operators and messages, as it is now."""
        found = parse_id(job_id, "job")
        return reading.job(await self._transport.call("Jobs", "Status", job_id=to_wire(found)))

    async def list(self, job_filter: JobFilter | None = None) -> list[JobInfo]:
        """Give the jobs that meet a filter, in the order of their creation.

        Parameters
        ----------
        job_filter
            ``JobFilter()`` is met by all jobs. Without a filter, those that run.
        """
        fields = {} if job_filter is None else {"filter": _filter_to_wire(job_filter)}
        answers = self._transport.stream("Jobs", "List", **fields)
        return [
            reading.job_info(answer.job_details)
            async for answer in answers
            if answer.job_details.job_id.value
        ]

    async def logs(self, job_id: str, operator: str = RUNNER_LOG) -> AsyncGenerator[str, None]:
        """Yield the lines that an operator has written so far.

        Parameters
        ----------
        job_id
            Of any job.
        operator
            Name of one of its operators; when left out, the runner's own notes.
        """
        answers = self._transport.stream(
            "Jobs", "ReadLogs", job_id=to_wire(parse_id(job_id, "job")), operator_name=operator
        )
        async with contextlib.aclosing(answers):
            async for answer in answers:
                for line in answer.logs:
                    yield line

    async def watch(self, job_id: str) -> AsyncGenerator[Job, None]:
        """Yield a job now and after each change, until it is stopped.

        The server is asked again and again: often while things happen, else every two seconds.
        """
        last, pause = None, _SOONEST
        while True:
            job = await self.get(job_id)
            pause = _SOONEST if job != last else min(pause * 1.3, _LATEST)
            if job != last:
                yield job
            if job.is_stopped:
                return
            last = job
            await asyncio.sleep(pause)

    async def wait(self, job_id: str, timeout: float | None = None) -> Job:  # noqa: ASYNC109 - as in the plain client
        """Wait until a job is stopped, however it ends.

        Parameters
        ----------
        job_id
            Of any job; one that nobody starts is waited for in vain.
        timeout
            Seconds to wait; ``None`` waits until it is stopped.

        Raises
        ------
        DeadlineExceededError
            It was not stopped within `timeout`; it goes on.
        """
        try:
            async with asyncio.timeout(timeout) as limit:
                async for job in self.watch(job_id):
                    last = job
                return last
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise DeadlineExceededError(
                f"job {job_id} was not stopped within {timeout} s; it goes on"
            ) from error

    async def add_metadata(self, job_id: str, metadata: Mapping[str, str]) -> dict[str, str]:
        """Add pairs and give all that there are then.

        Raises
        ------
        AlreadyExistsError
            A key is there already, in whatever case; nothing was added.
        """
        answer = await self._transport.call(
            "Jobs", "AddMetadata", job_id=to_wire(parse_id(job_id, "job")), metadata=metadata
        )
        return dict(answer.metadata)

    async def remove_metadata(self, job_id: str, keys: Iterable[str]) -> dict[str, str]:
        """Remove pairs by their keys, there or not, and give those that are left."""
        answer = await self._transport.call(
            "Jobs", "RemoveMetadata", job_id=to_wire(parse_id(job_id, "job")), keys=[*keys]
        )
        return dict(answer.metadata)


def _filter_to_wire(job_filter: JobFilter) -> jobs_pb2.JobsListRequest.JobFilter:
    ids: list[common_pb2.Identifier | None] = [
        to_wire(parse_id(each, "pipeline")) for each in job_filter.pipeline_ids
    ]
    return jobs_pb2.JobsListRequest.JobFilter(
        has_state=[reading.number(each) for each in job_filter.states],
        has_status=[reading.number(each) for each in job_filter.statuses],
        pipeline_id=[each for each in ids if each is not None],
        created_after=reading.to_timestamp(job_filter.created_after),
        completed_before=reading.to_timestamp(job_filter.completed_before),
    )
