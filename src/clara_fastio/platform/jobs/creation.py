# SPDX-License-Identifier: Apache-2.0
"""What a new job is made from, and whether it can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clara_fastio.errors import InvalidRequestError, UnavailableError
from clara_fastio.platform.records import jobs, payloads, pipelines
from clara_fastio.platform.records.payloads import PayloadType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from clara_fastio.platform.records.jobs import JobRecord

_LONGEST_NAME = 255


def find_sources(
    connection: Connection, pipeline_id: str, input_payloads: Iterable[str]
) -> pipelines.PipelineRecord:
    """Find the pipeline of a job, and look at the payloads that it is to be given."""
    for payload_id in input_payloads:
        if payloads.find(connection, payload_id).type is not PayloadType.REUSABLE:
            raise InvalidRequestError(
                f"the payload {payload_id!r} belongs to a job; only reusable payloads can be the "
                "input of another"
            )
    return pipelines.find(connection, pipeline_id)


def add_job(connection: Connection, job: JobRecord, input_payloads: Iterable[str]) -> None:
    """Keep a new job and its payload, if what it was made from is still there.

    A payload that is deleted loses its record before its files, so what was copied from those that
    have theirs now is whole.
    """
    pipeline = find_sources(connection, job.pipeline_id, input_payloads)
    if pipeline.definition_id != job.definition_id:
        raise UnavailableError(
            f"the pipeline {job.pipeline_id!r} was updated meanwhile; repeat the call"
        )
    payloads.add(connection, job.payload_id, PayloadType.PIPELINE, job.created, job_id=job.id)
    jobs.add(connection, job)


def checked_name(name: str) -> str:
    """Give the name of a job without blanks around it, if it can be one."""
    if len(name) > _LONGEST_NAME or not name.isprintable():
        raise InvalidRequestError(
            f"the name {name[:40]!r} cannot be a job's: it needs up to {_LONGEST_NAME} characters "
            "that can be printed"
        )
    return name.strip()
