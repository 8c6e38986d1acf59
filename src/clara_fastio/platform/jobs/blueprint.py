# SPDX-License-Identifier: Apache-2.0
"""What a job's definition says with the job's parameters: read once for all jobs that share it."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clara_fastio.errors import DefinitionError
from clara_fastio.pipeline import load_definition
from clara_fastio.platform.records import definitions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clara_fastio.pipeline import Pipeline
    from clara_fastio.platform.records.database import Database
    from clara_fastio.platform.records.definitions import StoredDefinition

_KEPT = 256


@dataclass(frozen=True)
class Node:
    """An operator in the graph of its job, with the names of those that it waits for."""

    name: str
    inputs: tuple[str, ...]
    order: tuple[str, ...]


@dataclass(frozen=True)
class Blueprint:
    """A definition with the parameters of a job in place."""

    definition: StoredDefinition
    pipeline: Pipeline

    @property
    def operators(self) -> list[str]:
        """Names of the operators, each after all that it waits for."""
        return [operator.name for operator in self.pipeline.operators]

    @property
    def graph(self) -> list[Node]:
        """The operators with what they wait for: data of others, or only that they have ended."""
        return [
            Node(
                operator.name,
                tuple(sorted(operator.upstream - set(operator.after))),
                tuple(sorted(operator.after)),
            )
            for operator in self.pipeline.operators
        ]


class Blueprints:
    """Reads definitions, and keeps those that were asked for last.

    Thread safety: only on one loop.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: OrderedDict[tuple[str, str], asyncio.Future[Blueprint]] = OrderedDict()

    async def get(self, definition_id: str, parameters: Mapping[str, str]) -> Blueprint:
        """Give the blueprint of a job.

        Raises
        ------
        DefinitionError
            The parameters do not fit, or are missing.
        """
        key = (definition_id, json.dumps(dict(parameters), sort_keys=True))
        found = self._kept.get(key)
        if found is None:
            found = asyncio.ensure_future(self._read(definition_id, parameters))
            self._kept[key] = found
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        try:
            # Shielded: several wait for it, and one of them may go away.
            return await asyncio.shield(found)
        except Exception:
            self._kept.pop(key, None)
            raise

    async def find(self, definition_id: str, parameters: Mapping[str, str]) -> Blueprint | None:
        """Give the blueprint of a job whose parameters may still be missing, if there is one."""
        try:
            return await self.get(definition_id, parameters)
        except DefinitionError:
            return None

    async def _read(self, definition_id: str, parameters: Mapping[str, str]) -> Blueprint:
        definition = await self._database.read(
            lambda connection: definitions.get(connection, definition_id)
        )
        return await asyncio.to_thread(_resolve, definition, dict(parameters))


def _resolve(definition: StoredDefinition, parameters: dict[str, str]) -> Blueprint:
    return Blueprint(definition, load_definition(definition.files).resolve(parameters))
