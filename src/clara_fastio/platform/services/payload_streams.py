# SPDX-License-Identifier: Apache-2.0
"""Moves the content of files between the loop and threads, a batch ahead of the other side."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, TypeAlias

from clara_fastio.errors import InvalidRequestError, PreconditionError
from clara_fastio.platform._proto import payloads_pb2

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from concurrent.futures import Executor, Future

    from clara_fastio.platform.payloads.draft import Data
    from clara_fastio.platform.payloads.reading import OpenFile, StoredFile
    from clara_fastio.platform.payloads.upload import Upload

#: Bytes that go to a thread at once: a hop there and back costs as much as copying some 100 KiB.
BATCH = 512 << 10
#: Bytes of a file in one answer; clients take messages of up to 4 MiB.
CHUNK = 1 << 20

#: Parts of one file that came together: its name, its mode, the data.
_Batch: TypeAlias = "list[tuple[str, int, list[Data]]]"
_MOST_FILES = 1024

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
        self._batch: _Batch = []
        self._nbytes = 0
        self._name = ""
        self._chunks: list[Data] = []
        self._size = 0
        self._writing: asyncio.Future[int] | None = None

    def put(self, details: payloads_pb2.PayloadFileDetails, data: Data) -> bool:
        """Take a part of a file; says whether the batch is to be handed over.

        Raises
        ------
        InvalidRequestError
            It has no name.
        """
        name = details.name
        if not name:
            raise InvalidRequestError("a message of the stream names no file; each has to")
        if name != self._name:
            self._name = name
            self._chunks = []
            self._batch.append((name, details.mode, self._chunks))
        self._chunks.append(data)
        self._nbytes += len(data)
        return self._nbytes >= BATCH or len(self._batch) >= _MOST_FILES

    async def hand_over(self) -> None:
        """Let the batch be written; waits while the disk is too slow for the one before."""
        await self._hand_over(self._write)

    async def finish(self) -> int:
        """Write the rest and bring it to the disk; gives the size of the last file in bytes."""
        await self._hand_over(self._write_and_flush)
        return await self._written()

    async def _hand_over(self, write: Callable[[_Batch], int]) -> None:
        await self._written()
        batch, self._batch, self._nbytes, self._name = self._batch, [], 0, ""
        self._writing = asyncio.get_running_loop().run_in_executor(self._pool, write, batch)

    async def _written(self) -> int:
        if self._writing is not None:
            self._size = await self._writing or self._size
        return self._size

    def _write(self, batch: _Batch) -> int:
        size = 0
        for name, mode, chunks in batch:
            size = self._upload.write(name, mode, chunks)
        return size

    def _write_and_flush(self, batch: _Batch) -> int:
        size = self._write(batch)
        self._upload.flush()
        return size


class Sender:
    """Gives a file in chunks: while one is sent, the next one is read.

    Parameters
    ----------
    open_file
        Called in a thread of `pool`; the file is closed when :meth:`chunks` ends.
    """

    def __init__(self, open_file: Callable[[], OpenFile], pool: Executor) -> None:
        self._open = open_file
        self._pool = pool
        self._closing = contextlib.ExitStack()
        self._file: OpenFile  # As the next two, of the first chunk.
        self._size = 0
        self._prefix = b""

    async def chunks(self) -> AsyncGenerator[payloads_pb2.PayloadsDownloadResponse | bytes, None]:
        """Give the answers, at least one; close this generator, or iterate to its end.

        Raises
        ------
        PreconditionError
            The file became shorter meanwhile.
        """
        ahead: Future[payloads_pb2.PayloadsDownloadResponse | bytes]
        ahead = self._pool.submit(self._first)
        try:
            chunk = await asyncio.wrap_future(ahead)
            for offset in range(CHUNK, self._size, CHUNK):
                ahead = self._pool.submit(self._next, offset)
                yield chunk
                chunk = await asyncio.wrap_future(ahead)
            yield chunk
        finally:
            # Not while a thread reads: then the descriptor might be another file's already.
            ahead.add_done_callback(lambda _: self._closing.close())

    def _first(self) -> payloads_pb2.PayloadsDownloadResponse:
        self._file = self._open()
        self._closing.callback(self._file.close)
        self._size = self._file.stored.size
        answer = payloads_pb2.PayloadsDownloadResponse(details=details_of(self._file.stored))
        self._prefix = answer.SerializeToString() + _DATA_TAG
        answer.data = self._read(0)
        return answer

    def _next(self, offset: int) -> bytes:
        data = self._read(offset)
        # Written by hand: a message would copy the data twice more.
        return b"".join((self._prefix, _varint(len(data)), data))

    def _read(self, offset: int) -> bytes:
        nbytes = min(CHUNK, self._size - offset)
        data = self._file.read(offset, nbytes)
        if len(data) < nbytes:
            raise PreconditionError(
                f"the file {self._file.stored.name!r} was changed while it was read; "
                "download it again"
            )
        return data


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
