# SPDX-License-Identifier: Apache-2.0
"""Lists jobs by what they have in common, in portions of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import select

from clara_fastio.platform.records import pairs, tables
from clara_fastio.platform.records.tables import jobs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement, Connection

    from clara_fastio.platform.records.states import JobState, JobStatus

_COLUMNS = (
    jobs.c.sequence,
    jobs.c.id,
    jobs.c.payload_id,
    jobs.c.pipeline_id,
    jobs.c.name,
    jobs.c.state,
    jobs.c.status,
    jobs.c.priority,
    jobs.c.created,
    jobs.c.started,
    jobs.c.stopped,
)


class ListedJob(NamedTuple):
    """A row of the listing: states as numbers of the wire, times in nanoseconds since 1970 UTC."""

    sequence: int
    id: str
    payload_id: str
    pipeline_id: str
    name: str
    state: int
    status: int
    priority: int
    created: int
    started: int | None
    stopped: int | None


@dataclass(frozen=True)
class JobFilter:
    """Which jobs are wanted: all that fit each part that is given, by any of its values.

    Parameters
    ----------
    completed_before, created_after
        Nanoseconds since 1970 UTC; who has not stopped was not completed before anything.
    """

    completed_before: int | None = None
    created_after: int | None = None
    states: frozenset[JobState] = frozenset()
    statuses: frozenset[JobStatus] = frozenset()
    pipeline_ids: frozenset[str] = frozenset()

    def conditions(self) -> list[ColumnElement[bool]]:
        """Say the same to the database."""
        found: list[ColumnElement[bool]] = []
        if self.completed_before is not None:
            found.append(jobs.c.stopped < self.completed_before)
        if self.created_after is not None:
            found.append(jobs.c.created > self.created_after)
        if self.states:
            found.append(jobs.c.state.in_(self.states))
        if self.statuses:
            found.append(jobs.c.status.in_(self.statuses))
        if self.pipeline_ids:
            found.append(jobs.c.pipeline_id.in_(self.pipeline_ids))
        return found


def portion(
    connection: Connection, wanted: JobFilter, after: int, most: int
) -> tuple[list[ListedJob], Mapping[str, Mapping[str, str]]]:
    """Read jobs in the order in which they were created.

    Parameters
    ----------
    wanted
        Which ones.
    after
        The sequence number of the last one before; 0 to begin.
    most
        How many at once.

    Returns
    -------
    tuple
        The jobs, fewer than `most` at the end; and their metadata by id, of those that have any.
    """
    rows = connection.execute(
        select(*_COLUMNS)
        .where(jobs.c.sequence > after, *wanted.conditions())
        .order_by(jobs.c.sequence)
        .limit(most)
    ).all()
    listed = [ListedJob._make(row) for row in rows]
    if not listed:
        return [], {}
    # Not by their ids, of which there are many: a join is several times as fast.
    columns = tables.pairs.c
    found = connection.execute(
        select(columns.owner_id, columns.key, columns.value)
        .join(jobs, jobs.c.id == columns.owner_id)
        .where(
            columns.kind == pairs.JOB,
            jobs.c.sequence.between(listed[0].sequence, listed[-1].sequence),
            *wanted.conditions(),
        )
    )
    metadata: dict[str, dict[str, str]] = {}
    for owner_id, key, value in found:
        metadata.setdefault(owner_id, {})[key] = value
    return listed, metadata
