# SPDX-License-Identifier: Apache-2.0
"""The service Pipelines."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from clara_fastio.errors import InvalidRequestError
from clara_fastio.pipeline import load_definition
from clara_fastio.platform._proto import pipelines_pb2
from clara_fastio.platform.records import definitions, pairs, pipelines
from clara_fastio.platform.records.definitions import StoredDefinition
from clara_fastio.platform.services.dispatch import Role
from clara_fastio.platform.wire.definition_paths import fault_of, from_folder
from clara_fastio.platform.wire.identifiers import new_id, parse_id, to_wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from sqlalchemy import Connection

    from clara_fastio.pipeline import Pipeline
    from clara_fastio.platform.records.database import Database
    from clara_fastio.platform.records.pipelines import PipelineRecord
    from clara_fastio.platform.services.dispatch import Call

Node = pipelines_pb2.PipelinesDetailsResponse.PipelineDagNode

#: Bytes of all files of one pipeline; what is more is not read to its end.
LARGEST_DEFINITION = 4 << 20
#: Characters of a definition in one message; no character takes more than four bytes.
_PART = 256 << 10
#: Messages inside messages: protobuf reads a hundred.
_DEEPEST = 90
#: A pipeline may have 2**n paths; what its nodes need when each path is written out is bounded.
_MOST_NODES = 10_000


class _Branch(NamedTuple):
    """A node with all that follows it: how many nodes, and how many one below another."""

    node: Node
    size: int
    depth: int


class PipelinesService:
    """Keeps definitions under an id; jobs are created from them."""

    roles: ClassVar[Mapping[str, Role]] = {
        "details": Role.READ,
        "list": Role.READ,
        "create": Role.SUBMIT,
        "update": Role.SUBMIT,
        "remove": Role.SUBMIT,
        "add_metadata": Role.SUBMIT,
        "remove_metadata": Role.SUBMIT,
    }

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self, requests: AsyncIterator[pipelines_pb2.PipelinesCreateRequest], _: Call
    ) -> pipelines_pb2.PipelinesCreateResponse:
        """Keep a new pipeline, if there is nothing wrong with its definition."""
        parts: list[tuple[str, str]] = []
        metadata: dict[str, str] = {}
        pipeline_id = ""
        async for request in requests:
            _take_part(parts, request.definition)
            # Every message repeats them, as the original's client does.
            metadata.update(request.metadata)
            if request.HasField("pipeline_id"):
                given = parse_id(request.pipeline_id, "pipeline")
                if pipeline_id not in {"", given}:
                    raise InvalidRequestError(
                        f"the stream names two pipeline ids, {pipeline_id!r} and {given!r}"
                    )
                pipeline_id = given
        definition = _checked(parts)
        pipeline_id = pipeline_id or new_id()
        await self._database.write(
            lambda connection: pipelines.add(
                connection, pipeline_id, definition, metadata, time.time_ns()
            )
        )
        return pipelines_pb2.PipelinesCreateResponse(pipeline_id=to_wire(pipeline_id))

    async def update(
        self, requests: AsyncIterator[pipelines_pb2.PipelinesUpdateRequest], _: Call
    ) -> pipelines_pb2.PipelinesUpdateResponse:
        """Replace the definition; jobs that were created before keep theirs."""
        parts: list[tuple[str, str]] = []
        ids = set()
        async for request in requests:
            _take_part(parts, request.definition)
            if request.HasField("pipeline_id"):
                ids.add(parse_id(request.pipeline_id, "pipeline"))
        if len(ids) != 1:
            raise InvalidRequestError(f"the stream names {len(ids)} pipeline ids, one is needed")
        definition = _checked(parts)
        await self._database.write(
            lambda connection: pipelines.replace(connection, ids.pop(), definition)
        )
        return pipelines_pb2.PipelinesUpdateResponse()

    async def details(
        self, request: pipelines_pb2.PipelinesDetailsRequest, _: Call
    ) -> AsyncIterator[pipelines_pb2.PipelinesDetailsResponse]:
        """Give all there is: each message a part of a file, the first what is there once."""
        pipeline_id = parse_id(request.pipeline_id, "pipeline")

        def read(connection: Connection) -> tuple[PipelineRecord, StoredDefinition]:
            record = pipelines.find(connection, pipeline_id)
            return record, definitions.get(connection, record.definition_id)

        record, definition = await self._database.read(read)
        graph = load_definition(definition.files).resolve()
        for number, (path, content) in enumerate(_parts(definition)):
            answer = pipelines_pb2.PipelinesDetailsResponse(
                pipeline_id=to_wire(record.id),
                name=record.name,
                definition=pipelines_pb2.PipelineDefinitionFile(path=path, content=content),
            )
            if number == 0:
                answer.metadata.update(record.metadata)
                answer.dag.extend(_dag(graph))
            yield answer

    async def list(
        self, _: pipelines_pb2.PipelinesListRequest, _call: Call
    ) -> AsyncIterator[pipelines_pb2.PipelinesListResponse]:
        """Name all pipelines, the oldest first."""
        for record in await self._database.read(pipelines.all_pipelines):
            yield pipelines_pb2.PipelinesListResponse(
                details=pipelines_pb2.PipelinesListResponse.PipelineDetails(
                    pipeline_id=to_wire(record.id), name=record.name, metadata=record.metadata
                )
            )

    async def remove(
        self, request: pipelines_pb2.PipelinesRemoveRequest, _: Call
    ) -> pipelines_pb2.PipelinesRemoveResponse:
        """Forget a pipeline; its jobs keep their definition and go on."""
        pipeline_id = parse_id(request.pipeline_id, "pipeline")
        await self._database.write(lambda connection: pipelines.remove(connection, pipeline_id))
        return pipelines_pb2.PipelinesRemoveResponse()

    async def add_metadata(
        self, request: pipelines_pb2.PipelinesAddMetadataRequest, _: Call
    ) -> pipelines_pb2.PipelinesAddMetadataResponse:
        """Attach pairs; answers all that are there then."""
        pipeline_id = parse_id(request.pipeline_id, "pipeline")

        def add(connection: Connection) -> Mapping[str, str]:
            pairs.add(connection, pairs.PIPELINE, pipeline_id, request.metadata)
            # If there is no such pipeline, this undoes it.
            return pipelines.find(connection, pipeline_id).metadata

        return pipelines_pb2.PipelinesAddMetadataResponse(
            pipeline_id=to_wire(pipeline_id), metadata=await self._database.write(add)
        )

    async def remove_metadata(
        self, request: pipelines_pb2.PipelinesRemoveMetadataRequest, _: Call
    ) -> pipelines_pb2.PipelinesRemoveMetadataResponse:
        """Remove pairs, there or not; answers those that are left."""
        pipeline_id = parse_id(request.pipeline_id, "pipeline")

        def remove(connection: Connection) -> Mapping[str, str]:
            pairs.remove(connection, pairs.PIPELINE, pipeline_id, request.keys)
            # If there is no such pipeline, this undoes it.
            return pipelines.find(connection, pipeline_id).metadata

        return pipelines_pb2.PipelinesRemoveMetadataResponse(
            pipeline_id=to_wire(pipeline_id), metadata=await self._database.write(remove)
        )


def _take_part(parts: list[tuple[str, str]], part: pipelines_pb2.PipelineDefinitionFile) -> None:
    parts.append((part.path or "pipeline.yaml", part.content))
    if sum(len(content) for _, content in parts) > LARGEST_DEFINITION:
        raise InvalidRequestError(
            f"the files of the definition have more than {LARGEST_DEFINITION} characters"
        )


def _checked(parts: list[tuple[str, str]]) -> StoredDefinition:
    """Join parts of the same path; what is wrong with the whole is told at once."""
    if not parts:
        raise InvalidRequestError("the stream holds no file of a definition")
    files: dict[str, tuple[str, str]] = {}
    paths = from_folder([path for path, _ in parts])
    for path, (_, content) in zip(paths, parts, strict=True):
        if fault := fault_of(path):
            raise InvalidRequestError(fault)
        spelled, before = files.get(path.casefold(), (path, ""))
        files[path.casefold()] = (spelled, before + content)
    joined = tuple(files.values())
    return StoredDefinition(load_definition(joined).name, joined)


def _parts(definition: StoredDefinition) -> Iterator[tuple[str, str]]:
    for path, content in definition.files:
        for start in range(0, max(len(content), 1), _PART):
            yield path, content[start : start + _PART]


def _dag(pipeline: Pipeline) -> list[Node]:
    """Draw the graph from its start nodes on; a node with several ways to it is drawn for each."""
    following: dict[str, list[str]] = {operator.name: [] for operator in pipeline.operators}
    for operator in pipeline.operators:
        for name in sorted(operator.upstream):
            following[name].append(operator.name)
    # From the last to the first, so that what follows a node is there already.
    nodes: dict[str, _Branch] = {}
    for operator in reversed(pipeline.operators):
        below = [nodes[name] for name in following[operator.name]]
        size = 1 + sum(branch.size for branch in below)
        depth = 1 + max((branch.depth for branch in below), default=0)
        if size > _MOST_NODES or depth > _DEEPEST:
            # Rather the node alone than a message that nobody can take.
            below, size, depth = [], 1, 1
        node = Node(name=operator.name, next=[branch.node for branch in below])
        nodes[operator.name] = _Branch(node, size, depth)
    return [nodes[each.name].node for each in pipeline.operators if not each.upstream]
