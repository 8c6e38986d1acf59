# SPDX-License-Identifier: Apache-2.0
"""What may be done with a payload while there is a job that uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from clara_fastio.errors import PreconditionError
from clara_fastio.platform.records import payloads, tables
from clara_fastio.platform.records.payloads import PayloadType
from clara_fastio.platform.records.states import JobState

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from clara_fastio.platform.records.payloads import PayloadRecord


def find_writable(connection: Connection, payload_id: str) -> PayloadRecord:
    """Find a payload whose files may be changed.

    Raises
    ------
    NotFoundError
        There is no such payload.
    PreconditionError
        Its job was started, or canceled.
    """
    record = payloads.find(connection, payload_id)
    state, is_queued = _job(connection, record)
    if state != JobState.PENDING or is_queued:
        why = "was started" if is_queued else "was canceled"
        raise PreconditionError(
            f"the payload {payload_id!r} is read-only: its job {record.job_id!r} {why}; make "
            "another job for other files"
        )
    return record


def find_idle(connection: Connection, payload_id: str) -> PayloadRecord:
    """Find a payload that no job works on; raises as `find_writable`."""
    record = payloads.find(connection, payload_id)
    state, is_queued = _job(connection, record)
    if state == JobState.RUNNING or (state == JobState.PENDING and is_queued):
        raise PreconditionError(
            f"the payload {payload_id!r} is in use: its job {record.job_id!r} was started and has "
            "not ended; cancel it first"
        )
    return record


def find_annotatable(connection: Connection, payload_id: str) -> PayloadRecord:
    """Find a payload that may have metadata; raises as `find_writable`."""
    record = payloads.find(connection, payload_id)
    if record.type is PayloadType.PIPELINE:
        raise PreconditionError(
            f"the payload {payload_id!r} belongs to a job, and takes no metadata; give it to the "
            f"job {record.job_id!r}"
        )
    return record


def _job(connection: Connection, record: PayloadRecord) -> tuple[int, bool]:
    """State of the payload's job, and whether its start was accepted."""
    jobs = tables.jobs.c
    row = connection.execute(
        select(jobs.state, jobs.queued).where(jobs.id == record.job_id)
    ).first()
    return (JobState.PENDING, False) if row is None else (row.state, row.queued is not None)
