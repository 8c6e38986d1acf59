# SPDX-License-Identifier: Apache-2.0
"""One file as a stream of chunks, there and back; never more than a few chunks in memory."""

from __future__ import annotations

import asyncio
import contextlib
import io
from typing import TYPE_CHECKING, Any

from clara_fastio.errors import PlatformError
from clara_fastio.platform.client.local_files import told
from clara_fastio.platform.client.models import PayloadFile
from clara_fastio.platform.client.transfers import CHUNK
from clara_fastio.platform.wire.identifiers import to_wire

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable
    from typing import BinaryIO

    from clara_fastio.platform.client.transport import Transport


async def send(
    transport: Transport,
    payload_id: str,
    name: str,
    content: bytes | BinaryIO,
    mode: int,
    count: Callable[[int], None] = lambda _: None,
) -> PayloadFile:
    """Upload what a file holds from its position on; `count` is told the bytes of each chunk."""
    size = 0

    async def parts() -> AsyncIterator[Any]:
        nonlocal size
        details = {"name": name, "mode": mode}
        fields = {"payload_id": to_wire(payload_id), "details": details}
        file = io.BytesIO(content) if isinstance(content, bytes) else content
        is_first = True
        # A file without content needs a message as well: it bears the name.
        while (data := await _read(file, name)) or is_first:
            yield transport.request("Payloads", "Upload", data=data, **fields)
            size += len(data)
            is_first = False
            count(len(data))

    await transport.send("Payloads", "Upload", parts())
    return PayloadFile(name=name, size=size, mode=mode)


async def _read(file: BinaryIO, name: str) -> bytes:
    with told(f"what is to become {name!r} cannot be read"):
        return await asyncio.to_thread(file.read, CHUNK)


async def receive(transport: Transport, payload_id: str, name: str) -> AsyncGenerator[bytes, None]:
    """Download a file in chunks.

    Raises
    ------
    PlatformError
        There was less or more than the server had announced.
    """
    answers = transport.stream("Payloads", "Download", payload_id=to_wire(payload_id), name=name)
    announced, received = None, 0
    async with contextlib.aclosing(answers):
        async for answer in answers:
            if announced is None:
                announced = answer.details.size
            received += len(answer.data)
            if answer.data:
                yield answer.data
    if announced != received:
        raise PlatformError(
            f"{received} bytes of {name!r} came, and {announced} were announced; "
            "it may have been changed meanwhile; download it again"
        )
