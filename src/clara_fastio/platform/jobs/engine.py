# SPDX-License-Identifier: Apache-2.0
"""Runs what is queued: from the queue, through an execution, to the record of how it ended."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from clara_fastio.errors import FastIOError, PipelineError, SystemCallError
from clara_fastio.platform.jobs.execution import Execution, Outcome
from clara_fastio.platform.jobs.log_retention import keep_removing
from clara_fastio.platform.jobs.logs import add_note
from clara_fastio.platform.jobs.scheduler import Scheduler, Ticket
from clara_fastio.platform.jobs.services import ServicePool
from clara_fastio.platform.jobs.supervision import Supervision
from clara_fastio.platform.records import jobs
from clara_fastio.platform.records.states import JobStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Connection

    from clara_fastio.platform.jobs.blueprint import Blueprint
    from clara_fastio.platform.jobs.capacity import Resources
    from clara_fastio.platform.jobs.settings import JobSettings
    from clara_fastio.platform.payloads.store import PayloadStore
    from clara_fastio.platform.records.database import Database
    from clara_fastio.platform.records.jobs import JobRecord, OperatorRecord

Result = TypeVar("Result")

_LOG = logging.getLogger("clara_fastio.platform")
#: Seconds until what the records refused is tried again.
_RETRY = 1.0
_STOPPING = "the server was stopped"


@dataclass
class Active:
    """A queued or running job."""

    record: JobRecord
    blueprint: Blueprint
    ticket: Ticket
    execution: Execution | None = None
    is_evicted: bool = False
    #: Set when it runs, when it is known that it cannot run now, and at its end.
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True)
class Activity:
    """How things stand; `memory` is the bytes that running jobs share."""

    running: int
    queued: Mapping[str, int]
    operators: Mapping[str, int]
    memory: int


class Engine:
    """Runs queued jobs while there is room for them.

    Each change is recorded before anybody is told of it. Where the records cannot be written, a
    job waits: a pending one in the queue, a running one with its next step.

    Thread safety: only on one loop, but for :meth:`activity`.

    Parameters
    ----------
    changed
        Told of each job whose record has changed.
    stopped
        Told of each job that has ended, and how.
    """

    def __init__(
        self,
        database: Database,
        store: PayloadStore,
        settings: JobSettings,
        changed: Callable[[JobRecord], object],
        stopped: Callable[[JobRecord, Outcome], None],
    ) -> None:
        self._database = database
        self._store = store
        self._settings = settings
        self._changed = changed
        self._stopped = stopped
        self._scheduler = Scheduler(settings.capacity, settings.most_jobs, settings.devices)
        self._supervision = Supervision()
        #: What runs beside the jobs, for several of them.
        self.services = ServicePool(self._supervision, settings)
        self._helpers: set[asyncio.Task[dict[str, dict[str, str]]]] = set()
        self._active: dict[str, Active] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._retention: asyncio.Task[None] | None = None
        self._is_closing = False

    def open(self) -> None:
        """Prepare to run jobs."""
        shutil.rmtree(self._settings.scratch, ignore_errors=True)
        self._settings.logs.mkdir(mode=0o700, exist_ok=True)
        self._settings.scratch.mkdir(mode=0o700)
        self._settings.data_of_services.mkdir(mode=0o755, exist_ok=True)
        self._supervision.open()
        keeping = keep_removing(
            self._settings.logs, self._settings.retention, lambda: list(self._active)
        )
        self._retention = asyncio.create_task(keeping, name="retention of logs")

    async def close(self, patience: float = 0.0) -> None:
        """Start no more jobs; stop those that still run after some seconds, and evict them."""
        self._is_closing = True
        if self._retention is not None:
            self._retention.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=patience)
        for active in self._active.values():
            if active.execution is not None:
                active.is_evicted = active.execution.cancel(_STOPPING)
        if self._tasks:
            await asyncio.wait(self._tasks)
        for helper in self._helpers:
            helper.cancel()
        self._supervision.close()

    def find(self, job_id: str) -> Active | None:
        """Give a job if it is queued or runs."""
        return self._active.get(job_id)

    async def put(self, record: JobRecord, blueprint: Blueprint, needs: Resources) -> JobRecord:
        """Queue a job; gives it as it is when it is known whether it runs at once."""
        active = self.enqueue(record, blueprint, needs)
        self.start_what_fits()
        if record.id not in self._scheduler.queue:
            await active.settled.wait()
        return active.record

    def enqueue(self, record: JobRecord, blueprint: Blueprint, needs: Resources) -> Active:
        """Queue a job; it starts when :meth:`start_what_fits` finds that it is its turn."""
        ticket = Ticket(record.id, record.priority, needs)
        active = self._active[record.id] = Active(record, blueprint, ticket)
        self._scheduler.put(ticket)
        return active

    def start_what_fits(self) -> None:
        """Start the jobs whose turn it is, as many as there is room for."""
        while not self._is_closing and (ticket := self._scheduler.take()):
            active = self._active[ticket.job_id]
            task = asyncio.create_task(self._run(active), name=f"job {ticket.job_id}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def remove(self, job_id: str) -> None:
        """Take a job out of the queue that will not run any more."""
        if self._scheduler.remove(job_id):
            self._active.pop(job_id).ended.set()
            self.start_what_fits()

    def activity(self) -> Activity:
        """Say how things stand; from any thread."""
        queued = {each.name: count for each, count in self._scheduler.queue.lengths().items()}
        running = [active for active in list(self._active.values()) if active.execution]
        operators = Counter(
            each.status.name for active in running for each in active.record.operators
        )
        memory = sum(active.execution.memory for active in running if active.execution)
        return Activity(len(running), queued, operators, memory)

    async def _run(self, active: Active) -> None:
        job_id = active.record.id
        # Before it is recorded that it runs, so that whoever reads that finds it.
        active.execution = Execution(self._supervision, lambda each: self._follow(active, each))
        try:
            begun = await self._database.write(
                lambda connection: jobs.begin(connection, job_id, time.time_ns())
            )
        except FastIOError as error:
            _LOG.warning("job %s cannot start yet: %s", job_id, error, extra={"job": job_id})
            self._postpone(active)
            return
        try:
            if begun is not None:
                self._note(active, begun)
                active.settled.set()
                await self._execute(active, active.execution)
        except Exception:  # noqa: BLE001 - a bug must not keep what the job has of the machine
            # Its record says that it runs: the next server evicts it.
            _LOG.exception("the end of job %s could not be recorded", job_id, extra={"job": job_id})
        finally:
            self._active.pop(job_id, None)
            self._scheduler.release(job_id)
            active.settled.set()
            active.ended.set()
            self.start_what_fits()

    def _postpone(self, active: Active) -> None:
        active.execution = None
        self._scheduler.put_back(active.ticket)
        active.settled.set()
        asyncio.get_running_loop().call_later(_RETRY, self.start_what_fits)

    async def _execute(self, active: Active, execution: Execution) -> None:
        record = active.record
        payload = self._store.folder(record.payload_id)
        _LOG.info("job %s runs", record.id, extra={"job": record.id})
        try:
            services = await self._provide(active, execution)
            if services is None:
                outcome = Outcome(JobStatus.CANCELED, (execution.reason,))
            else:
                devices = self._scheduler.devices_of(record.id)
                plan = self._settings.plan_of(
                    record, active.blueprint, payload, services=services, devices=devices
                )
                outcome = await execution.run(plan)
        except (PipelineError, SystemCallError) as error:
            outcome = Outcome(JobStatus.FAULTED, (str(error),))
        except Exception:  # noqa: BLE001 - whatever it was, the job has ended and has to say so
            _LOG.exception("job %s could not be followed", record.id, extra={"job": record.id})
            await self._supervision.kill(record.id)
            outcome = Outcome(JobStatus.FAULTED, ("internal error; the server's log says more",))
        if active.is_evicted and outcome.status is JobStatus.CANCELED:
            outcome = replace(outcome, status=JobStatus.EVICTED)
            note = f"evicted: {execution.reason}"
            await asyncio.to_thread(add_note, self._settings.logs / record.id, note)
        await asyncio.to_thread(self._recount, record.payload_id)
        now = time.time_ns()
        stopped = await self._insist(
            lambda connection: jobs.stop(
                connection, record.id, now, outcome.status, outcome.messages
            )
        )
        self._note(active, stopped)
        self._stopped(stopped, outcome)

    async def _provide(
        self, active: Active, execution: Execution
    ) -> Mapping[str, Mapping[str, str]] | None:
        """Have the services that a job asks for; None if it is canceled before they are there."""
        pipeline = active.blueprint.pipeline
        if not any(operator.services for operator in pipeline.operators):
            return {}
        # Other jobs may wait for the same services: they go on starting.
        providing = asyncio.create_task(self.services.provide(pipeline))
        self._helpers.add(providing)
        providing.add_done_callback(self._helpers.discard)
        canceled = asyncio.create_task(execution.canceled.wait())
        try:
            await asyncio.wait({providing, canceled}, return_when=asyncio.FIRST_COMPLETED)
            return None if canceled.done() else await providing
        finally:
            canceled.cancel()

    async def _follow(self, active: Active, operator: OperatorRecord) -> None:
        record = active.record
        subject = {"job": record.id, "operator": operator.name}
        text = "job %s: operator %s is %s"
        _LOG.info(text, record.id, operator.name, operator.status.name, extra=subject)
        self._note(
            active,
            await self._insist(lambda connection: jobs.follow(connection, record.id, [operator])),
        )

    async def _insist(self, work: Callable[[Connection], Result]) -> Result:
        """Write until it succeeds: what has happened has to be recorded."""
        while True:
            try:
                return await self._database.write(work)
            except FastIOError as error:
                if self._is_closing:
                    raise
                _LOG.warning("the records cannot be written, will be tried again: %s", error)
                await asyncio.sleep(_RETRY)

    def _note(self, active: Active, record: JobRecord) -> None:
        active.record = record
        self._changed(record)

    def _recount(self, payload_id: str) -> None:
        try:
            self._store.recount(payload_id)
        except (FastIOError, OSError) as error:  # It only counts; the job has ended all the same.
            _LOG.warning("payload %s cannot be counted: %s", payload_id, error)
