# SPDX-License-Identifier: Apache-2.0
"""The service Jobs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from clara_fastio.errors import InvalidRequestError, NotFoundError
from clara_fastio.platform._proto import common_pb2, jobs_pb2
from clara_fastio.platform.jobs.logs import RUNNER_LOG, read_lines
from clara_fastio.platform.records.states import JobPriority
from clara_fastio.platform.services.dispatch import Role
from clara_fastio.platform.services.job_list import filter_of, listing
from clara_fastio.platform.services.job_status import StatusCache
from clara_fastio.platform.wire.identifiers import parse_id, parse_ids, to_wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from clara_fastio.platform.jobs.manager import JobManager
    from clara_fastio.platform.records.database import Database
    from clara_fastio.platform.services.dispatch import Call


class JobsService:
    """Creates, starts, watches and cancels jobs.

    Parameters
    ----------
    manager
        Does it.
    database
        The records, for listings.
    logs
        The folder with a folder of logs for each job.
    """

    roles: ClassVar[Mapping[str, Role]] = {
        "status": Role.READ,
        "list": Role.READ,
        "read_logs": Role.READ,
        "create": Role.SUBMIT,
        "start": Role.SUBMIT,
        "cancel": Role.SUBMIT,
        "add_metadata": Role.SUBMIT,
        "remove_metadata": Role.SUBMIT,
    }

    def __init__(self, manager: JobManager, database: Database, logs: Path) -> None:
        self._manager = manager
        self._database = database
        self._logs = logs
        self._statuses = StatusCache(manager)

    async def create(
        self, request: jobs_pb2.JobsCreateRequest, _: Call
    ) -> jobs_pb2.JobsCreateResponse:
        """Make a job of a pipeline, and its payload."""
        job = await self._manager.create(
            parse_id(request.pipeline_id, "pipeline"),
            request.name,
            _priority(request.priority),
            parse_ids(request.input_payloads, "payload"),
            dict(request.metadata),
        )
        return jobs_pb2.JobsCreateResponse(
            job_id=to_wire(job.id), payload_id=to_wire(job.payload_id)
        )

    async def start(
        self, request: jobs_pb2.JobsStartRequest, _: Call
    ) -> jobs_pb2.JobsStartResponse:
        """Queue a job; its payload is read-only from then on."""
        job_id = parse_id(request.job_id, "job")
        parameters: dict[str, str] = {}
        for variable in request.Variables:
            if variable.name.lower() in {name.lower() for name in parameters}:
                raise InvalidRequestError(
                    f"the variable {variable.name!r} is given twice; names are compared without "
                    "case"
                )
            parameters[variable.name] = variable.value
        job = await self._manager.start(job_id, parameters)
        return jobs_pb2.JobsStartResponse(
            state=jobs_pb2.JobState.ValueType(job.state),
            status=jobs_pb2.JobStatus.ValueType(job.status),
            priority=jobs_pb2.JobPriority.ValueType(job.priority),
        )

    async def status(self, request: jobs_pb2.JobsStatusRequest, _: Call) -> bytes:
        """Say all there is to say about a job."""
        job_id = parse_id(request.job_id, "job")
        return self._statuses.get(job_id) or await self._statuses.make(job_id)

    def list(self, request: jobs_pb2.JobsListRequest, _: Call) -> AsyncIterator[bytes]:
        """Give the jobs that fit a filter, the oldest first; without one those that run."""
        return listing(self._database, filter_of(request))

    async def cancel(
        self, request: jobs_pb2.JobsCancelRequest, _: Call
    ) -> jobs_pb2.JobsCancelResponse:
        """Stop a job, and say how it stands then."""
        job = await self._manager.cancel(parse_id(request.job_id, "job"), request.reason)
        return jobs_pb2.JobsCancelResponse(
            job_id=to_wire(job.id),
            job_state=jobs_pb2.JobState.ValueType(job.state),
            job_status=jobs_pb2.JobStatus.ValueType(job.status),
        )

    async def read_logs(
        self, request: jobs_pb2.JobsReadLogsRequest, _: Call
    ) -> AsyncIterator[jobs_pb2.JobsReadLogsResponse]:
        """Give the lines that an operator has written so far, or the job's runner."""
        job = await self._manager.find(parse_id(request.job_id, "job"))
        name = request.operator_name
        known = [RUNNER_LOG, *(operator.name for operator in job.operators)]
        if not name:
            raise InvalidRequestError(f"the request names no operator; there are {_listed(known)}")
        if name not in known:
            raise NotFoundError(
                f"the job {job.id!r} has no operator {name[:80]!r}; there are {_listed(known)}"
            )
        answer = jobs_pb2.JobsReadLogsResponse(
            header=common_pb2.ResponseHeader(), job_id=to_wire(job.id), operator_name=name
        )
        chunks = read_lines(self._logs / job.id / f"{name}.log")
        is_empty = True
        while lines := await asyncio.to_thread(next, chunks, None):
            is_empty = False
            answer.logs[:] = lines
            yield answer  # Serialised before the next one is asked for.
        if is_empty:
            yield answer

    async def add_metadata(
        self, request: jobs_pb2.JobsAddMetadataRequest, _: Call
    ) -> jobs_pb2.JobsAddMetadataResponse:
        """Attach pairs; answers all that are there then."""
        job_id = parse_id(request.job_id, "job")
        metadata = await self._manager.add_metadata(job_id, dict(request.metadata))
        return jobs_pb2.JobsAddMetadataResponse(job_id=to_wire(job_id), metadata=metadata)

    async def remove_metadata(
        self, request: jobs_pb2.JobsRemoveMetadataRequest, _: Call
    ) -> jobs_pb2.JobsRemoveMetadataResponse:
        """Remove pairs, there or not; answers those that are left."""
        job_id = parse_id(request.job_id, "job")
        metadata = await self._manager.remove_metadata(job_id, list(request.keys))
        return jobs_pb2.JobsRemoveMetadataResponse(job_id=to_wire(job_id), metadata=metadata)


def _priority(number: int) -> JobPriority:
    try:
        return JobPriority(number or JobPriority.NORMAL)
    except ValueError as error:
        known = ", ".join(f"{each.value} ({each.name})" for each in JobPriority)
        raise InvalidRequestError(f"{number} is no priority; known are {known}") from error


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:20])
    return f"{shown}, ..." if len(names) > 20 else shown
