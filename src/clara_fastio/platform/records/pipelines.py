# SPDX-License-Identifier: Apache-2.0
"""Records of pipelines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update

from clara_fastio.errors import AlreadyExistsError, NotFoundError
from clara_fastio.platform.records import definitions, pairs, tables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, Row, Select

    from clara_fastio.platform.records.definitions import StoredDefinition


@dataclass(frozen=True)
class PipelineRecord:
    """A pipeline; `created` in nanoseconds since 1970 UTC."""

    id: str
    name: str
    definition_id: str
    created: int
    metadata: Mapping[str, str]


def add(
    connection: Connection,
    pipeline_id: str,
    definition: StoredDefinition,
    metadata: Mapping[str, str],
    now: int,
) -> None:
    """Keep a new pipeline.

    Raises
    ------
    AlreadyExistsError
        The id is taken, or a key of the metadata is there twice.
    """
    if _row(connection, pipeline_id) is not None:
        raise AlreadyExistsError(f"there is a pipeline {pipeline_id!r} already; update it instead")
    definition_id = definitions.put(connection, definition)
    connection.execute(
        insert(tables.pipelines).values(id=pipeline_id, definition_id=definition_id, created=now)
    )
    pairs.add(connection, pairs.PIPELINE, pipeline_id, metadata)


def find(connection: Connection, pipeline_id: str) -> PipelineRecord:
    """Find a pipeline by its id; NotFoundError if there is none."""
    row = _row(connection, pipeline_id)
    if row is None:
        raise NotFoundError(f"there is no pipeline {pipeline_id!r}; list them to see their ids")
    metadata = pairs.find(connection, pairs.PIPELINE, pipeline_id)
    return _record(row, metadata)


def all_pipelines(connection: Connection) -> list[PipelineRecord]:
    """List all pipelines, the oldest first."""
    rows = connection.execute(_columns().order_by(tables.pipelines.c.sequence)).all()
    metadata = pairs.find_many(connection, pairs.PIPELINE, [row.id for row in rows])
    return [_record(row, metadata.get(row.id, {})) for row in rows]


def replace(connection: Connection, pipeline_id: str, definition: StoredDefinition) -> None:
    """Give a pipeline another definition; its jobs keep theirs. NotFoundError as for `find`."""
    find(connection, pipeline_id)
    definition_id = definitions.put(connection, definition)
    connection.execute(
        update(tables.pipelines)
        .where(tables.pipelines.c.id == pipeline_id)
        .values(definition_id=definition_id)
    )
    definitions.drop_unused(connection)


def remove(connection: Connection, pipeline_id: str) -> None:
    """Forget a pipeline; its jobs stay. NotFoundError as for `find`."""
    find(connection, pipeline_id)
    pairs.forget(connection, pairs.PIPELINE, pipeline_id)
    connection.execute(delete(tables.pipelines).where(tables.pipelines.c.id == pipeline_id))
    definitions.drop_unused(connection)


def _columns() -> Select[tuple[str, str, str, int]]:
    pipelines, texts = tables.pipelines.c, tables.definitions.c
    return select(pipelines.id, texts.name, pipelines.definition_id, pipelines.created).join_from(
        tables.pipelines, tables.definitions
    )


def _row(connection: Connection, pipeline_id: str) -> Row[tuple[str, str, str, int]] | None:
    return connection.execute(_columns().where(tables.pipelines.c.id == pipeline_id)).first()


def _record(row: Row[tuple[str, str, str, int]], metadata: Mapping[str, str]) -> PipelineRecord:
    return PipelineRecord(row.id, row.name, row.definition_id, row.created, metadata)
