# SPDX-License-Identifier: Apache-2.0
"""Records of jobs: each function is one step of a job's life, to be done in one transaction."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, insert, select, update

from clara_fastio.errors import NotFoundError, PreconditionError
from clara_fastio.platform.records import pairs, payloads, tables
from clara_fastio.platform.records.states import JobPriority, JobState, JobStatus, OperatorStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection


@dataclass(frozen=True)
class OperatorRecord:
    """An operator of a job; times in nanoseconds since 1970 UTC."""

    name: str
    status: OperatorStatus
    created: int
    started: int | None = None
    stopped: int | None = None


@dataclass(frozen=True, kw_only=True)
class JobRecord:
    """A job; times in nanoseconds since 1970 UTC. `queued` is when its start was accepted."""

    id: str
    pipeline_id: str
    payload_id: str
    definition_id: str
    name: str
    priority: JobPriority
    state: JobState
    status: JobStatus
    created: int
    queued: int | None = None
    started: int | None = None
    stopped: int | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    operators: tuple[OperatorRecord, ...] = ()
    messages: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


def add(connection: Connection, job: JobRecord) -> JobRecord:
    """Keep a new job; AlreadyExistsError for a key of the metadata that is there twice."""
    connection.execute(
        insert(tables.jobs).values(
            id=job.id,
            pipeline_id=job.pipeline_id,
            payload_id=job.payload_id,
            definition_id=job.definition_id,
            name=job.name,
            priority=job.priority,
            state=job.state,
            status=job.status,
            created=job.created,
            parameters=json.dumps(dict(job.parameters)),
        )
    )
    _put_operators(connection, job.id, [each.name for each in job.operators], job.created)
    pairs.add(connection, pairs.JOB, job.id, job.metadata)
    return job


def find(connection: Connection, job_id: str) -> JobRecord:
    """Find a job by its id; NotFoundError if there is none."""
    row = connection.execute(select(tables.jobs).where(tables.jobs.c.id == job_id)).first()
    if row is None:
        raise NotFoundError(f"there is no job {job_id!r}; list them to see their ids")
    operators = tables.job_operators.c
    found = connection.execute(
        select(
            operators.name,
            operators.status,
            operators.created,
            operators.started,
            operators.stopped,
        )
        .where(operators.job_id == job_id)
        .order_by(operators.position)
    )
    messages = tables.job_messages.c
    texts = connection.execute(
        select(messages.text).where(messages.job_id == job_id).order_by(messages.position)
    )
    return JobRecord(
        id=row.id,
        pipeline_id=row.pipeline_id,
        payload_id=row.payload_id,
        definition_id=row.definition_id,
        name=row.name,
        priority=JobPriority(row.priority),
        state=JobState(row.state),
        status=JobStatus(row.status),
        created=row.created,
        queued=row.queued,
        started=row.started,
        stopped=row.stopped,
        parameters=json.loads(row.parameters),
        operators=tuple(
            OperatorRecord(name, OperatorStatus(status), *times) for name, status, *times in found
        ),
        messages=tuple(texts.scalars()),
        metadata=pairs.find(connection, pairs.JOB, job_id),
    )


def queue(
    connection: Connection,
    job_id: str,
    now: int,
    parameters: Mapping[str, str],
    operators: Sequence[str],
) -> tuple[JobRecord, bool]:
    """Accept the start of a job.

    Returns
    -------
    tuple
        The job, and whether it is queued by this call: a repeated call changes nothing.

    Raises
    ------
    NotFoundError
        There is no such job, or its payload was deleted.
    PreconditionError
        It is stopped, or was started with other parameters.
    """
    job = find(connection, job_id)
    if job.state is JobState.STOPPED:
        raise PreconditionError(
            f"the job {job_id!r} is stopped ({job.status.name}) and cannot start again; create a "
            "new one"
        )
    if job.queued is not None:
        if dict(job.parameters) != dict(parameters):
            raise PreconditionError(
                f"the job {job_id!r} was started before, with other variables; create a new one"
            )
        return job, False
    try:
        payloads.find(connection, job.payload_id)
    except NotFoundError:
        raise NotFoundError(
            f"the payload {job.payload_id!r} of the job {job_id!r} was deleted; create a new job"
        ) from None
    _set(connection, job_id, queued=now, parameters=json.dumps(dict(parameters)))
    if [each.name for each in job.operators] != list(operators):
        operator_rows = tables.job_operators
        connection.execute(operator_rows.delete().where(operator_rows.c.job_id == job_id))
        _put_operators(connection, job_id, operators, job.created)
    return find(connection, job_id), True


def begin(connection: Connection, job_id: str, now: int) -> JobRecord | None:
    """Let a pending job run; None if it is not pending any more."""
    jobs = tables.jobs.c
    changed = connection.execute(
        update(tables.jobs)
        .where(jobs.id == job_id, jobs.state == JobState.PENDING)
        .values(state=JobState.RUNNING, started=now)
    )
    return find(connection, job_id) if changed.rowcount else None


def follow(connection: Connection, job_id: str, operators: Iterable[OperatorRecord]) -> JobRecord:
    """Note how operators of a running job are doing."""
    rows = [
        {
            "operator": each.name,
            "status": each.status,
            "started": each.started,
            "stopped": each.stopped,
        }
        for each in operators
    ]
    columns = tables.job_operators.c
    connection.execute(
        update(tables.job_operators).where(
            columns.job_id == job_id, columns.name == bindparam("operator")
        ),
        rows,
    )
    return find(connection, job_id)


def stop(
    connection: Connection, job_id: str, now: int, status: JobStatus, messages: Iterable[str] = ()
) -> JobRecord:
    """End a job that has not ended yet; operators that ran are faulted, others stay as they are."""
    job = find(connection, job_id)
    if job.state is JobState.STOPPED:
        return job
    _set(connection, job_id, state=JobState.STOPPED, status=status, stopped=now)
    columns = tables.job_operators.c
    connection.execute(
        update(tables.job_operators)
        .where(columns.job_id == job_id, columns.status == OperatorStatus.RUNNING)
        .values(status=OperatorStatus.FAULTED, stopped=now)
    )
    rows = [
        {"job_id": job_id, "position": position, "text": text}
        for position, text in enumerate(messages, start=len(job.messages))
    ]
    if rows:
        connection.execute(insert(tables.job_messages), rows)
    return find(connection, job_id)


def stop_pending(
    connection: Connection, job_id: str, now: int, status: JobStatus, messages: Iterable[str]
) -> JobRecord:
    """End a job if it is pending; gives it as it then is."""
    job = find(connection, job_id)
    if job.state is not JobState.PENDING:
        return job
    return stop(connection, job_id, now, status, messages)


def evict_running(connection: Connection, now: int, message: str) -> list[str]:
    """End all jobs that ran when the server ended; gives their ids."""
    jobs = tables.jobs.c
    found = list(
        connection.execute(select(jobs.id).where(jobs.state == JobState.RUNNING)).scalars()
    )
    for job_id in found:
        stop(connection, job_id, now, JobStatus.EVICTED, [message])
    return found


def queued(connection: Connection) -> list[str]:
    """Name the jobs that wait for their turn, in the order in which they were started."""
    jobs = tables.jobs.c
    return list(
        connection.execute(
            select(jobs.id)
            .where(jobs.state == JobState.PENDING, jobs.queued.is_not(None))
            .order_by(jobs.queued, jobs.sequence)
        ).scalars()
    )


def _set(connection: Connection, job_id: str, **values: object) -> None:
    connection.execute(update(tables.jobs).where(tables.jobs.c.id == job_id).values(**values))


def _put_operators(connection: Connection, job_id: str, names: Sequence[str], created: int) -> None:
    rows = [
        {
            "job_id": job_id,
            "position": position,
            "name": name,
            "status": OperatorStatus.PENDING,
            "created": created,
        }
        for position, name in enumerate(names)
    ]
    if rows:
        connection.execute(insert(tables.job_operators), rows)
