# SPDX-License-Identifier: Apache-2.0
"""The payloads of a server."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from clara_fastio.platform.client import reading
from clara_fastio.platform.client.download import Download
from clara_fastio.platform.client.streams import receive, send
from clara_fastio.platform.client.transfers import Existing
from clara_fastio.platform.client.upload import Upload
from clara_fastio.platform.wire.identifiers import parse_id, to_wire

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
    from typing import BinaryIO

    from clara_fastio.platform.client.models import PayloadFile, PayloadInfo
    from clara_fastio.platform.client.transfers import Progress, Transfer
    from clara_fastio.platform.client.transport import Transport


class AsyncPayloads:
    """The files of jobs, and files for jobs.

    Every method raises `UnavailableError`, `DeadlineExceededError`, `UnauthenticatedError` and
    `PermissionDeniedError`; those that take an id `NotFoundError` and `InvalidRequestError`.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def create(self, *, metadata: Mapping[str, str] | None = None) -> str:
        """Make an empty reusable payload and give its id.

        Raises
        ------
        AlreadyExistsError
            Two keys of `metadata` differ by case only.
        """
        answer = await self._transport.call("Payloads", "Create", metadata=metadata or {})
        return str(answer.payload_id.value)

    async def get(self, payload_id: str) -> PayloadInfo:
        """Give a payload with the names and sizes of its files."""
        answers = self._transport.stream(
            "Payloads", "Details", payload_id=to_wire(parse_id(payload_id, "payload"))
        )
        return reading.payload([answer async for answer in answers])

    async def delete(self, payload_id: str) -> None:
        """Remove a payload for ever.

        Raises
        ------
        PreconditionError
            Its job is queued or runs.
        """
        await self._transport.call(
            "Payloads", "Delete", payload_id=to_wire(parse_id(payload_id, "payload"))
        )

    async def remove(self, payload_id: str, name: str) -> None:
        """Remove one file.

        Raises
        ------
        PreconditionError
            The payload's job was started.
        """
        await self._transport.call(
            "Payloads", "Remove", payload_id=to_wire(parse_id(payload_id, "payload")), name=name
        )

    async def upload(
        self,
        payload_id: str,
        source: str | os.PathLike[str],
        *,
        existing: Existing = Existing.REPLACE,
        progress: Callable[[Progress], None] | None = None,
    ) -> Transfer:
        """Put a file, or the files of a folder and below, into a payload.

        Each file appears there when it is complete. Names are relative to the folder, and in a
        job's payload they are below ``input/``.

        Parameters
        ----------
        payload_id
            Of a reusable payload, or of one whose job was not started yet.
        source
            The file or folder.
        existing
            What becomes of files that the payload has already.
        progress
            Called on the event loop's thread for each chunk.

        Raises
        ------
        PreconditionError
            The payload's job was started.
        OutOfMemoryError
            The server has no room left.
        AlreadyExistsError
            `existing` is REFUSE and a file is there.
        SystemCallError
            A file of this machine cannot be read.
        """
        transfer = Upload(self._transport, parse_id(payload_id, "payload"))
        return await transfer.run(source, Existing(existing), progress)

    async def write(
        self, payload_id: str, name: str, content: bytes | BinaryIO, *, mode: int = 0
    ) -> PayloadFile:
        """Make one file from bytes, or from what an open file holds from its position on.

        Parameters
        ----------
        payload_id
            As of `upload`.
        name
            Its name there; one that exists is replaced.
        content
            What it is to hold. A file is read in a thread.
        mode
            Permissions, for those who download it; 0 for the usual ones.
        """
        found = parse_id(payload_id, "payload")
        return await send(self._transport, found, name, content, mode)

    async def download(
        self,
        payload_id: str,
        destination: str | os.PathLike[str],
        name: str = "",
        *,
        existing: Existing = Existing.REFUSE,
        progress: Callable[[Progress], None] | None = None,
    ) -> Transfer:
        """Get files of a payload.

        Each appears under its name when it is complete; names never lead out of `destination`.

        Parameters
        ----------
        payload_id
            Of any payload.
        destination
            The folder that they go to. For a single file, its new path, unless a folder is there.
        name
            A file; or a folder, from which on its files are named; or the whole payload.
        existing
            What becomes of files that are there already.
        progress
            Called on the event loop's thread for each chunk.

        Raises
        ------
        AlreadyExistsError
            `existing` is REFUSE and a file is there.
        SystemCallError
            A file of this machine cannot be written.
        """
        info = await self.get(payload_id)
        transfer = Download(self._transport, info, name)
        return await transfer.run(destination, Existing(existing), progress)

    async def read(self, payload_id: str, name: str) -> AsyncGenerator[bytes, None]:
        """Yield the content of one file in chunks, each at most some megabytes."""
        chunks = receive(self._transport, parse_id(payload_id, "payload"), name)
        async with contextlib.aclosing(chunks):
            async for chunk in chunks:
                yield chunk

    async def add_metadata(self, payload_id: str, metadata: Mapping[str, str]) -> dict[str, str]:
        """Add pairs to a reusable payload and give all that there are then.

        Raises
        ------
        AlreadyExistsError
            A key is there already, in whatever case; nothing was added.
        PreconditionError
            It is a job's payload.
        """
        answer = await self._transport.call(
            "Payloads",
            "AddMetadata",
            payload_id=to_wire(parse_id(payload_id, "payload")),
            metadata=metadata,
        )
        return dict(answer.metadata)

    async def remove_metadata(self, payload_id: str, keys: Iterable[str]) -> dict[str, str]:
        """Remove pairs by their keys, there or not, and give those that are left."""
        answer = await self._transport.call(
            "Payloads",
            "RemoveMetadata",
            payload_id=to_wire(parse_id(payload_id, "payload")),
            keys=[*keys],
        )
        return dict(answer.metadata)
