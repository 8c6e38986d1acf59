# SPDX-License-Identifier: Apache-2.0
"""Moves the content of files between the loop and threads, a batch ahead of the other side."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from clara_fastio.errors import InvalidRequestError, PreconditionError
from clara_fastio.platform._proto import payloads_pb2

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from concurrent.futures import Executor

    from clara_fastio.platform.payloads.reading import OpenFile, StoredFile
    from clara_fastio.platform.payloads.upload import Upload

#: Bytes that go to a thread at once: a hop there and back costs as much as copying some 100 KiB.
BATCH = 1 << 20
#: Bytes of a file in one answer; clients take messages of up to 4 MiB.
CHUNK = 1 << 20

_DATA_TAG = b"\x1a"  # Field 3 of the answer, with a length.


class Receiver:
    """Hands what comes to an upload: while one batch is written, the next one comes.

    Never more than two batches and a message are in memory.

    Parameters
    ----------
    upload
        Takes it, in a thread of `pool`.
    """

    def __init__(self, upload: Upload, pool: Executor) -> None:
        self._upload = upload
        self._pool = pool
        self._batch: list[tuple[str, int, list[bytes]]] = []
        self._nbytes = 0
        self._writing: asyncio.Future[int] | None = None

    async def put(self, details: payloads_pb2.PayloadFileDetails, data: bytes) -> None:
        """Take a part of a file; waits while the disk is too slow."""
        name = details.name
        if not name:
            raise InvalidRequestError("a message of the stream names no file; every one has to")
        if not self._batch or self._batch[-1][0] != name:
            self._batch.append((name, details.mode, []))
        self._batch[-1][2].append(data)
        self._nbytes += len(data)
        if self._nbytes >= BATCH or len(self._batch) >= BATCH >> 10:
            await self._hand_over()

    async def finish(self) -> int:
        """Write the rest; gives the size of the last file in bytes."""
        await self._hand_over()
        return await self._written()

    async def _hand_over(self) -> None:
        await self._written()
        batch, self._batch, self._nbytes = self._batch, [], 0
        self._writing = asyncio.get_running_loop().run_in_executor(self._pool, self._write, batch)

    async def _written(self) -> int:
        return 0 if self._writing is None else await self._writing

    def _write(self, batch: list[tuple[str, int, list[bytes]]]) -> int:
        size = 0
        for name, mode, chunks in batch:
            size = self._upload.write(name, mode, chunks)
        return size


async def send(
    file: OpenFile, pool: Executor
) -> AsyncGenerator[payloads_pb2.PayloadsDownloadResponse | bytes, None]:
    """Give a file in chunks and close it: while one is sent, the next one is read.

    Raises
    ------
    PreconditionError
        It became shorter meanwhile.
    """
    size = file.stored.size
    details = details_of(file.stored)
    prefix = payloads_pb2.PayloadsDownloadResponse(details=details).SerializeToString() + _DATA_TAG

    def read(offset: int) -> payloads_pb2.PayloadsDownloadResponse | bytes:
        nbytes = min(CHUNK, size - offset)
        data = file.read(offset, nbytes)
        if len(data) < nbytes:
            raise PreconditionError(
                f"the file {file.stored.name!r} was changed while it was read; download it again"
            )
        if offset == 0:
            return payloads_pb2.PayloadsDownloadResponse(details=details, data=data)
        # Written by hand: a message would copy the data twice more.
        return b"".join((prefix, _varint(nbytes), data))

    ahead = pool.submit(read, 0)
    try:
        for offset in range(CHUNK, size, CHUNK):
            chunk = await asyncio.wrap_future(ahead)
            ahead = pool.submit(read, offset)
            yield chunk
        yield await asyncio.wrap_future(ahead)
    finally:
        # Not while a thread reads: then the descriptor might be another file's already.
        ahead.add_done_callback(lambda _: file.close())


def details_of(stored: StoredFile) -> payloads_pb2.PayloadFileDetails:
    """Describe a file."""
    return payloads_pb2.PayloadFileDetails(name=stored.name, size=stored.size, mode=stored.mode)


def _varint(value: int) -> bytes:
    digits = bytearray()
    while value >= 128:
        digits.append(value & 127 | 128)
        value >>= 7
    digits.append(value)
    return bytes(digits)
