# SPDX-License-Identifier: Apache-2.0
"""The pipelines of a server."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clara_fastio.pipeline import load_definition
from clara_fastio.platform.client import reading
from clara_fastio.platform.wire.identifiers import parse_id, to_wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from clara_fastio.platform.client.models import Pipeline, PipelineInfo
    from clara_fastio.platform.client.transport import Transport

#: What a definition is given as: the path of its main file, or the contents of all by name.
DefinitionSource = str | os.PathLike[str] | Mapping[str, str]

#: Characters in one message; none takes more than four bytes.
_PART = 256 << 10


class AsyncPipelines:
    """Definitions under an id, from which jobs are created.

    Every method raises `UnavailableError`, `DeadlineExceededError`, `UnauthenticatedError` and
    `PermissionDeniedError`; those that take an id `NotFoundError` and `InvalidRequestError`.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def create(
        self,
        definition: DefinitionSource,
        *,
        metadata: Mapping[str, str] | None = None,
        pipeline_id: str | None = None,
    ) -> str:
        """Keep a new pipeline and give its id.

        Parameters
        ----------
        definition
            The path of the main file, which is read with all that it imports; or the contents of
            all files by name, the main one first.
        metadata
            Pairs to be kept with it.
        pipeline_id
            The id that it is to have; for copies of another server.

        Raises
        ------
        DefinitionError
            The definition is wrong.
        AlreadyExistsError
            The id is taken, or two keys differ by case only.
        """
        fields: dict[str, Any] = {"metadata": metadata or {}}
        if pipeline_id is not None:
            fields["pipeline_id"] = to_wire(parse_id(pipeline_id, "pipeline"))
        answer = await self._transport.send(
            "Pipelines", "Create", self._parts("Create", definition, fields)
        )
        return str(answer.pipeline_id.value)

    async def update(self, pipeline_id: str, definition: DefinitionSource) -> None:
        """Replace the definition; jobs that exist keep theirs.

        Raises
        ------
        DefinitionError
            The definition is wrong; the former one stays.
        """
        fields = {"pipeline_id": to_wire(parse_id(pipeline_id, "pipeline"))}
        await self._transport.send("Pipelines", "Update", self._parts("Update", definition, fields))

    async def get(self, pipeline_id: str) -> Pipeline:
        """Give a pipeline with its definition and graph."""
        answers = self._transport.stream(
            "Pipelines", "Details", pipeline_id=to_wire(parse_id(pipeline_id, "pipeline"))
        )
        return reading.pipeline([answer async for answer in answers])

    async def list(self) -> list[PipelineInfo]:
        """Give all pipelines, the oldest first."""
        answers = self._transport.stream("Pipelines", "List")
        return [
            reading.pipeline_info(answer.details)
            async for answer in answers
            if answer.details.pipeline_id.value
        ]

    async def remove(self, pipeline_id: str) -> None:
        """Forget a pipeline; its jobs go on."""
        await self._transport.call(
            "Pipelines", "Remove", pipeline_id=to_wire(parse_id(pipeline_id, "pipeline"))
        )

    async def add_metadata(self, pipeline_id: str, metadata: Mapping[str, str]) -> dict[str, str]:
        """Add pairs and give all that there are then.

        Raises
        ------
        AlreadyExistsError
            A key is there already, in whatever case; nothing was added.
        """
        answer = await self._transport.call(
            "Pipelines",
            "AddMetadata",
            pipeline_id=to_wire(parse_id(pipeline_id, "pipeline")),
            metadata=metadata,
        )
        return dict(answer.metadata)

    async def remove_metadata(self, pipeline_id: str, keys: Iterable[str]) -> dict[str, str]:
        """Remove pairs by their keys, there or not, and give those that are left."""
        answer = await self._transport.call(
            "Pipelines",
            "RemoveMetadata",
            pipeline_id=to_wire(parse_id(pipeline_id, "pipeline")),
            keys=list(keys),
        )
        return dict(answer.metadata)

    async def _parts(
        self, name: str, definition: DefinitionSource, fields: Mapping[str, Any]
    ) -> AsyncIterator[Any]:
        for path, content in _files(definition):
            for start in range(0, max(len(content), 1), _PART):
                part = {"path": path, "content": content[start : start + _PART]}
                yield self._transport.request("Pipelines", name, definition=part, **fields)


def _files(definition: DefinitionSource) -> list[tuple[str, str]]:
    if isinstance(definition, Mapping):
        return list(definition.items())
    return list(load_definition(Path(definition)).files)
