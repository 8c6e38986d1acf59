# SPDX-License-Identifier: Apache-2.0
"""What may be done with jobs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING

from clara_fastio.errors import FastIOError
from clara_fastio.platform.finishing import finishing
from clara_fastio.platform.jobs.blueprint import Blueprint, Blueprints
from clara_fastio.platform.jobs.capacity import needs_of
from clara_fastio.platform.jobs.creation import add_job, checked_name, find_sources
from clara_fastio.platform.jobs.engine import Engine
from clara_fastio.platform.jobs.execution import storable
from clara_fastio.platform.jobs.logs import add_note
from clara_fastio.platform.records import jobs, pairs
from clara_fastio.platform.records.jobs import JobRecord, OperatorRecord
from clara_fastio.platform.records.payloads import PayloadType
from clara_fastio.platform.records.states import JobPriority, JobState, JobStatus, OperatorStatus
from clara_fastio.platform.wire.identifiers import new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from clara_fastio.platform.jobs.engine import Activity
    from clara_fastio.platform.jobs.execution import Outcome
    from clara_fastio.platform.jobs.settings import JobSettings
    from clara_fastio.platform.payloads.store import PayloadStore
    from clara_fastio.platform.records.database import Database

_LOG = logging.getLogger("clara_fastio.platform")
_EVICTED = "the server ended while the job ran"
_CANCELED = "canceled"
_LONGEST_REASON = 4096
#: Seconds beyond the grace time that a call waits for a canceled job to stop.
_MARGIN = 5.0


class JobManager:
    """Creates, starts, cancels and remembers jobs.

    Thread safety: only on one loop, but for :meth:`activity`.

    Parameters
    ----------
    database
        The records.
    store
        The payloads' files.
    settings
        How jobs are run.
    stopped
        Told of each job that has run and ended, and how.
    """

    def __init__(
        self,
        database: Database,
        store: PayloadStore,
        settings: JobSettings,
        stopped: Callable[[JobRecord, Outcome], None] = lambda _job, _outcome: None,
    ) -> None:
        self._database = database
        self._store = store
        self._settings = settings
        self._watchers: list[Callable[[JobRecord], None]] = []
        self._engine = Engine(database, store, settings, self._tell, stopped)
        #: The definitions of jobs, with their parameters in place.
        self.blueprints = Blueprints(database)

    def watch(self, changed: Callable[[JobRecord], None]) -> None:
        """Let a function know of each job whose record has changed."""
        self._watchers.append(changed)

    async def open(self) -> None:
        """Take up what the last server left: running jobs are evicted, queued ones are queued.

        Raises
        ------
        FastIOError
            The records cannot be read, or no process can be started.
        """
        self._engine.open()
        evicted = await self._database.write(
            lambda connection: jobs.evict_running(connection, time.time_ns(), _EVICTED)
        )
        for job_id in evicted:
            _LOG.warning("job %s is evicted: %s", job_id, _EVICTED, extra={"job": job_id})
            await asyncio.to_thread(add_note, self._settings.logs / job_id, f"evicted: {_EVICTED}")
        for job_id in await self._database.read(jobs.queued):
            await self._queue_again(job_id)
        self._engine.start_what_fits()

    async def close(self, patience: float = 0.0) -> None:
        """Start no more jobs; those that still run after some seconds are stopped and evicted."""
        await self._engine.close(patience)

    async def stop_services(self) -> None:
        """End all services of pipelines; those that are needed again are started again."""
        await self._engine.services.stop()

    def activity(self) -> Activity:
        """Say how things stand; from any thread."""
        return self._engine.activity()

    async def find(self, job_id: str) -> JobRecord:
        """Find a job by its id; NotFoundError if there is none."""
        return await self._database.read(lambda connection: jobs.find(connection, job_id))

    @finishing
    async def create(
        self,
        pipeline_id: str,
        name: str,
        priority: JobPriority,
        input_payloads: Sequence[str],
        metadata: Mapping[str, str],
    ) -> JobRecord:
        """Make a job and its payload.

        Raises
        ------
        NotFoundError
            There is no such pipeline or input payload.
        InvalidRequestError
            The name or the metadata are not right, or an input payload is not a reusable one.
        AlreadyExistsError
            A key of the metadata is there twice, or a file is in two input payloads.
        OutOfMemoryError
            There is no room for another payload.
        """
        pipeline = await self._database.read(
            lambda connection: find_sources(connection, pipeline_id, input_payloads)
        )
        blueprint = await self.blueprints.find(pipeline.definition_id, {})
        now = time.time_ns()
        operators = [
            OperatorRecord(name, OperatorStatus.PENDING, now)
            for name in ([] if blueprint is None else blueprint.operators)
        ]
        job = JobRecord(
            id=new_id(),
            pipeline_id=pipeline_id,
            payload_id=new_id(),
            definition_id=pipeline.definition_id,
            name=checked_name(name) or pipeline.name,
            priority=priority,
            state=JobState.PENDING,
            status=JobStatus.HEALTHY,
            created=now,
            operators=tuple(operators),
            metadata=metadata,
        )
        try:
            await asyncio.to_thread(self._make_payload, job.payload_id, input_payloads)
            await self._database.write(lambda connection: add_job(connection, job, input_payloads))
        except BaseException:
            with contextlib.suppress(FastIOError, OSError):
                await asyncio.to_thread(self._store.delete, job.payload_id)
            raise
        self._tell(job)
        return job

    @finishing
    async def start(self, job_id: str, parameters: Mapping[str, str]) -> JobRecord:
        """Queue a job, and start it if there is room; a repeated call changes nothing.

        A job whose images may not be run here is stopped as faulted.

        Raises
        ------
        NotFoundError
            There is no such job, or its payload was deleted.
        PreconditionError
            It is stopped, was started with other parameters, or requests GPUs that are not there.
        DefinitionError
            The parameters do not fit its pipeline.
        OutOfMemoryError
            It requests more memory than there is.
        """
        job = await self.find(job_id)
        if job.state is not JobState.PENDING or job.queued is not None:
            return await self._queue(job_id, parameters, [])
        blueprint = await self.blueprints.get(job.definition_id, parameters)
        if refusal := self._settings.refusal_of(blueprint.pipeline):
            return await self._refuse(job_id, parameters, blueprint, refusal)
        needs = needs_of(blueprint.pipeline, self._settings.capacity)

        def queue(connection: Connection) -> tuple[JobRecord, bool]:
            return jobs.queue(connection, job_id, time.time_ns(), parameters, blueprint.operators)

        job, is_new = await self._database.write(queue)
        if not is_new:
            return job
        self._tell(job)
        job = await self._engine.put(job, blueprint, needs)
        # It may have been canceled before it came to run.
        return await self.find(job_id) if job.state is JobState.PENDING else job

    @finishing
    async def cancel(self, job_id: str, reason: str) -> JobRecord:
        """Stop a job, and wait until it is stopped; one that is stopped already stays as it is.

        Raises
        ------
        NotFoundError
            There is no such job.
        """
        reason = storable(reason.strip())[:_LONGEST_REASON] or _CANCELED

        def stop(connection: Connection) -> JobRecord:
            return jobs.stop_pending(
                connection, job_id, time.time_ns(), JobStatus.CANCELED, [reason]
            )

        job = await self._database.write(stop)
        active = self._engine.find(job_id)
        if job.state is JobState.STOPPED:
            self._engine.remove(job_id)
            self._tell(job)
            return job
        if active is not None and active.execution is not None:
            active.execution.cancel(reason)
            with contextlib.suppress(TimeoutError):
                limit = self._settings.grace + _MARGIN
                await asyncio.wait_for(active.ended.wait(), limit)
        return await self.find(job_id)

    @finishing
    async def add_metadata(self, job_id: str, added: Mapping[str, str]) -> Mapping[str, str]:
        """Attach pairs; gives all that are there then. Raises as `pairs.add`, or NotFoundError."""

        def add(connection: Connection) -> JobRecord:
            pairs.add(connection, pairs.JOB, job_id, added)
            # If there is no such job, this undoes it.
            return jobs.find(connection, job_id)

        return self._tell(await self._database.write(add)).metadata

    @finishing
    async def remove_metadata(self, job_id: str, keys: Iterable[str]) -> Mapping[str, str]:
        """Remove pairs, there or not; gives those that are left. NotFoundError without a job."""

        def remove(connection: Connection) -> JobRecord:
            pairs.remove(connection, pairs.JOB, job_id, keys)
            # If there is no such job, this undoes it.
            return jobs.find(connection, job_id)

        return self._tell(await self._database.write(remove)).metadata

    def _tell(self, job: JobRecord) -> JobRecord:
        for changed in self._watchers:
            changed(job)
        return job

    def _make_payload(self, payload_id: str, input_payloads: Sequence[str]) -> None:
        self._store.create(payload_id, PayloadType.PIPELINE)
        self._store.copy_into(payload_id, input_payloads)

    async def _queue(
        self, job_id: str, parameters: Mapping[str, str], operators: Sequence[str]
    ) -> JobRecord:
        """Answer a repeated start."""
        now = time.time_ns()
        job, _ = await self._database.read(
            lambda connection: jobs.queue(connection, job_id, now, parameters, operators)
        )
        return job

    async def _refuse(
        self, job_id: str, parameters: Mapping[str, str], blueprint: Blueprint, refusal: str
    ) -> JobRecord:
        def refuse(connection: Connection) -> JobRecord:
            now = time.time_ns()
            jobs.queue(connection, job_id, now, parameters, blueprint.operators)
            return jobs.stop_pending(connection, job_id, now, JobStatus.FAULTED, [refusal])

        return self._tell(await self._database.write(refuse))

    async def _queue_again(self, job_id: str) -> None:
        job = await self.find(job_id)
        try:
            blueprint = await self.blueprints.get(job.definition_id, job.parameters)
            refusal = self._settings.refusal_of(blueprint.pipeline)
            needs = needs_of(blueprint.pipeline, self._settings.capacity)
        except FastIOError as error:
            refusal = str(error)
        if refusal:  # The server has other settings now.
            now = time.time_ns()
            await self._database.write(
                lambda connection: jobs.stop(connection, job_id, now, JobStatus.FAULTED, [refusal])
            )
        else:
            self._engine.enqueue(job, blueprint, needs)
