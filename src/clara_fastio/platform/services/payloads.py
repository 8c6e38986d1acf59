# SPDX-License-Identifier: Apache-2.0
"""The service Payloads."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from clara_fastio.errors import InvalidRequestError, NotFoundError
from clara_fastio.platform._proto import payloads_pb2
from clara_fastio.platform.allocator import keep_freed_memory
from clara_fastio.platform.finishing import finishing
from clara_fastio.platform.records import pairs, payload_guards, payloads
from clara_fastio.platform.records.payloads import PayloadType
from clara_fastio.platform.services.dispatch import Role
from clara_fastio.platform.services.payload_streams import Receiver, Sender, details_of
from clara_fastio.platform.services.upload_parts import Part, read_part
from clara_fastio.platform.wire.identifiers import new_id, parse_id, to_wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from sqlalchemy import Connection

    from clara_fastio.platform.payloads.store import PayloadStore
    from clara_fastio.platform.payloads.upload import Upload
    from clara_fastio.platform.records.database import Database
    from clara_fastio.platform.services.dispatch import Call

Result = TypeVar("Result")

#: Files that may be read or written at the same time; each waits for a disk, not for a processor.
_THREADS = 16
#: Files that one step of a listing looks at.
_LISTED = 256


class PayloadsService:
    """Keeps files for jobs, and what jobs have made of them.

    Parameters
    ----------
    database
        The records of payloads and jobs.
    store
        The files.
    """

    roles: ClassVar[Mapping[str, Role]] = {
        "details": Role.READ,
        "download": Role.READ,
        "create": Role.SUBMIT,
        "delete": Role.SUBMIT,
        "remove": Role.SUBMIT,
        "upload": Role.SUBMIT,
        "add_metadata": Role.SUBMIT,
        "remove_metadata": Role.SUBMIT,
    }
    readers: ClassVar[Mapping[str, Callable[[bytes], Part]]] = {"upload": read_part}

    def __init__(self, database: Database, store: PayloadStore) -> None:
        self._database = database
        self._store = store
        keep_freed_memory()
        self._pool = ThreadPoolExecutor(_THREADS, "payloads")

    def close(self) -> None:
        """End the threads; blocks until they have done what they were doing."""
        self._pool.shutdown()

    @finishing
    async def create(
        self, request: payloads_pb2.PayloadsCreateRequest, _: Call
    ) -> payloads_pb2.PayloadsCreateResponse:
        """Make an empty reusable payload."""
        payload_id = new_id()
        await self._do(self._store.create, payload_id, PayloadType.REUSABLE)

        def add(connection: Connection) -> None:
            payloads.add(
                connection,
                payload_id,
                PayloadType.REUSABLE,
                time.time_ns(),
                metadata=request.metadata,
            )

        try:
            await self._database.write(add)
        except Exception:
            await self._do(self._store.delete, payload_id)
            raise
        return payloads_pb2.PayloadsCreateResponse(
            payload_id=to_wire(payload_id), type=payloads_pb2.PAYLOAD_TYPE_REUSABLE
        )

    @finishing
    async def delete(
        self, request: payloads_pb2.PayloadsDeleteRequest, _: Call
    ) -> payloads_pb2.PayloadsDeleteResponse:
        """Remove a payload for ever, unless its job is queued or runs.

        Where files cannot be removed, the payload is gone all the same, and the answer tells.
        """
        payload_id = parse_id(request.payload_id, "payload")

        def forget(connection: Connection) -> None:
            payload_guards.find_idle(connection, payload_id)
            payloads.remove(connection, payload_id)

        await self._database.write(forget)
        answer = payloads_pb2.PayloadsDeleteResponse()
        if left := await self._do(self._store.delete, payload_id):
            answer.header.messages.append(
                f"the payload is deleted, but {left}; the server's administrator has to remove them"
            )
        return answer

    async def details(
        self, request: payloads_pb2.PayloadsDetailsRequest, _: Call
    ) -> AsyncIterator[payloads_pb2.PayloadsDetailsResponse]:
        """Describe a payload in the first message, and one file in each; without files, once."""
        payload_id = parse_id(request.payload_id, "payload")
        record = await self._database.read(lambda connection: payloads.find(connection, payload_id))
        answer = payloads_pb2.PayloadsDetailsResponse(
            payload_id=to_wire(payload_id),
            type=payloads_pb2.PayloadType.ValueType(record.type),
            job_id=to_wire(record.job_id),
            metadata=record.metadata,
        )
        files = self._store.files(payload_id)
        is_empty = True
        while listed := await self._do(lambda: [*itertools.islice(files, _LISTED)]):
            for stored in listed:
                answer.file.CopyFrom(details_of(stored))
                yield answer  # Serialised before the next one is asked for.
                answer.ClearField("metadata")
                is_empty = False
        if is_empty:
            yield answer

    async def download(
        self, request: payloads_pb2.PayloadsDownloadRequest, _: Call
    ) -> AsyncIterator[payloads_pb2.PayloadsDownloadResponse | bytes]:
        """Give the content of a file."""
        payload_id = parse_id(request.payload_id, "payload")
        sender = Sender(lambda: self._store.open(payload_id, request.name), self._pool)
        try:
            async with contextlib.aclosing(sender.chunks()) as chunks:
                async for chunk in chunks:
                    yield chunk
        except NotFoundError:
            # The records are asked only now: that there is no such payload is the better answer.
            await self._database.read(lambda connection: payloads.find(connection, payload_id))
            raise

    async def remove(
        self, request: payloads_pb2.PayloadsRemoveRequest, _: Call
    ) -> payloads_pb2.PayloadsRemoveResponse:
        """Remove one file, whose name has to be exact."""
        payload_id = parse_id(request.payload_id, "payload")

        def remove(connection: Connection) -> None:
            payload_guards.find_writable(connection, payload_id)
            # Within the transaction, or the job might start before the file is gone.
            self._store.remove(payload_id, request.name)

        await self._database.write(remove)
        return payloads_pb2.PayloadsRemoveResponse()

    async def upload(
        self, requests: AsyncIterator[Part], _: Call
    ) -> payloads_pb2.PayloadsUploadResponse:
        """Take the files of a stream; they appear when it has ended, or none of them does."""
        first = await anext(requests, None)
        if first is None:
            raise InvalidRequestError(
                "the stream holds no message; a file without content needs one with its name"
            )
        payload_id = parse_id(first.head.payload_id, "payload")

        def find(connection: Connection) -> PayloadType:
            return payload_guards.find_writable(connection, payload_id).type

        upload = self._store.begin_upload(payload_id, await self._database.read(find))
        try:
            details = await self._receive(upload, first, requests)

            def commit(connection: Connection) -> None:
                find(connection)
                # Within the transaction, as in `remove`.
                upload.commit()

            await self._database.write(commit)
            await self._do(upload.settle)
        finally:
            if not upload.is_closed:
                await asyncio.shield(self._do(upload.abort))
        return payloads_pb2.PayloadsUploadResponse(details=details)

    async def add_metadata(
        self, request: payloads_pb2.PayloadsAddMetadataRequest, _: Call
    ) -> payloads_pb2.PayloadsAddMetadataResponse:
        """Attach pairs to a reusable payload; answers all that are there then."""
        payload_id = parse_id(request.payload_id, "payload")

        def add(connection: Connection) -> Mapping[str, str]:
            pairs.add(connection, pairs.PAYLOAD, payload_id, request.metadata)
            # If the payload may have none, this undoes it.
            return payload_guards.find_annotatable(connection, payload_id).metadata

        return payloads_pb2.PayloadsAddMetadataResponse(
            payload_id=to_wire(payload_id), metadata=await self._database.write(add)
        )

    async def remove_metadata(
        self, request: payloads_pb2.PayloadsRemoveMetadataRequest, _: Call
    ) -> payloads_pb2.PayloadsRemoveMetadataResponse:
        """Remove pairs, there or not; answers those that are left."""
        payload_id = parse_id(request.payload_id, "payload")

        def remove(connection: Connection) -> Mapping[str, str]:
            pairs.remove(connection, pairs.PAYLOAD, payload_id, request.keys)
            # If the payload may have none, this undoes it.
            return payload_guards.find_annotatable(connection, payload_id).metadata

        return payloads_pb2.PayloadsRemoveMetadataResponse(
            payload_id=to_wire(payload_id), metadata=await self._database.write(remove)
        )

    async def _receive(
        self,
        upload: Upload,
        first: Part,
        requests: AsyncIterator[Part],
    ) -> payloads_pb2.PayloadFileDetails:
        """Write all parts; describes the last file as its sender did, with its real size."""
        receiver = Receiver(upload, self._pool)
        head = first.head
        payload_id = head.payload_id.value
        if receiver.put(head.details, first.data):
            await receiver.hand_over()
        async for part in requests:
            head = part.head
            if not head.payload_id.value:
                raise InvalidRequestError(
                    "a message of the stream names no payload; each has to, as the first one does"
                )
            if head.payload_id.value != payload_id:
                raise InvalidRequestError(
                    f"the stream goes to the payload {payload_id!r}, and one of its messages to "
                    f"{head.payload_id.value!r}; use a stream for each"
                )
            if receiver.put(head.details, part.data):
                await receiver.hand_over()
        size = await receiver.finish()
        return payloads_pb2.PayloadFileDetails(
            name=head.details.name, mode=head.details.mode, size=size
        )

    async def _do(self, work: Callable[..., Result], *arguments: Any) -> Result:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, work, *arguments)
