# SPDX-License-Identifier: Apache-2.0
"""Records of payloads; their files are folders on disk."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from clara_fastio.errors import NotFoundError
from clara_fastio.platform.records import pairs, tables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection


class PayloadType(IntEnum):
    """Whose files they are, in the numbers of the wire."""

    PIPELINE = 1  #: One job's: what it reads and what it wrote.
    REUSABLE = 2  #: Uploaded once, and copied into the payload of any job.


@dataclass(frozen=True)
class PayloadRecord:
    """A payload; `created` in nanoseconds since 1970 UTC."""

    id: str
    type: PayloadType
    job_id: str | None
    created: int
    metadata: Mapping[str, str]


def add(
    connection: Connection,
    payload_id: str,
    payload_type: PayloadType,
    now: int,
    *,
    job_id: str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Keep a new payload; AlreadyExistsError for a key of the metadata that is there twice."""
    connection.execute(
        insert(tables.payloads).values(id=payload_id, type=payload_type, job_id=job_id, created=now)
    )
    pairs.add(connection, pairs.PAYLOAD, payload_id, metadata or {})


def find(connection: Connection, payload_id: str) -> PayloadRecord:
    """Find a payload by its id; NotFoundError if there is none."""
    columns = tables.payloads.c
    row = connection.execute(
        select(columns.id, columns.type, columns.job_id, columns.created).where(
            columns.id == payload_id
        )
    ).first()
    if row is None:
        raise NotFoundError(f"there is no payload {payload_id!r}; a deleted one cannot come back")
    metadata = pairs.find(connection, pairs.PAYLOAD, payload_id)
    return PayloadRecord(row.id, PayloadType(row.type), row.job_id, row.created, metadata)


def all_ids(connection: Connection) -> set[str]:
    """Name all payloads that are known."""
    return set(connection.execute(select(tables.payloads.c.id)).scalars())


def remove(connection: Connection, payload_id: str) -> None:
    """Forget a payload; NotFoundError as for `find`."""
    find(connection, payload_id)
    pairs.forget(connection, pairs.PAYLOAD, payload_id)
    connection.execute(delete(tables.payloads).where(tables.payloads.c.id == payload_id))
