# SPDX-License-Identifier: Apache-2.0
"""Texts of pipelines, kept once each."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, union

from clara_fastio.platform.records.tables import definitions, jobs, pipelines

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True)
class StoredDefinition:
    """The files of a pipeline, the main one first: path and content of each."""

    name: str
    files: tuple[tuple[str, str], ...]

    @property
    def id(self) -> str:
        """Hash of all there is."""
        return hashlib.sha256(json.dumps([self.name, self.files]).encode()).hexdigest()


def put(connection: Connection, definition: StoredDefinition) -> str:
    """Keep a definition, if it is not there yet; gives its id."""
    if (
        connection.execute(
            select(definitions.c.id).where(definitions.c.id == definition.id)
        ).first()
        is None
    ):
        connection.execute(
            insert(definitions).values(
                id=definition.id, name=definition.name, files=json.dumps(definition.files)
            )
        )
    return definition.id


def get(connection: Connection, definition_id: str) -> StoredDefinition:
    """Read a definition that a pipeline or a job refers to."""
    row = connection.execute(select(definitions).where(definitions.c.id == definition_id)).one()
    files = tuple((path, content) for path, content in json.loads(row.files))
    return StoredDefinition(row.name, files)


def drop_unused(connection: Connection) -> None:
    """Forget what neither a pipeline nor a job refers to."""
    used = union(select(pipelines.c.definition_id), select(jobs.c.definition_id))
    connection.execute(delete(definitions).where(definitions.c.id.not_in(used)))
