# SPDX-License-Identifier: Apache-2.0
"""Uploads files and folders."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from clara_fastio.errors import AlreadyExistsError
from clara_fastio.platform.client import reading
from clara_fastio.platform.client.local_files import find_sources, told
from clara_fastio.platform.client.states import PayloadType
from clara_fastio.platform.client.streams import send
from clara_fastio.platform.client.transfers import Existing, Meter, Transfer, move_all
from clara_fastio.platform.wire.identifiers import to_wire

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from clara_fastio.platform.client.models import PayloadFile
    from clara_fastio.platform.client.transfers import Progress
    from clara_fastio.platform.client.transport import Transport

#: Where uploads to the payload of a job go, without being told.
_INPUT = "input/"


class Upload:
    """Puts files into one payload."""

    def __init__(self, transport: Transport, payload_id: str) -> None:
        self._transport = transport
        self._payload_id = payload_id

    async def run(
        self,
        source: str | os.PathLike[str],
        existing: Existing,
        progress: Callable[[Progress], None] | None,
    ) -> Transfer:
        """Send what is there, less what need not be sent."""
        sources = await asyncio.to_thread(find_sources, Path(source))
        there = {} if existing is Existing.REPLACE else await self._there()
        if existing is Existing.REFUSE:
            self._refuse({file.name for file in sources.values()} & set(there))
        kept = [file for file in sources.values() if there.get(file.name) == file.size]
        wanted = {path: file for path, file in sources.items() if file not in kept}
        paths = {file.name: path for path, file in wanted.items()}
        meter = Meter(wanted.values(), progress)

        async def move(file: PayloadFile) -> PayloadFile:
            with told(f"{str(paths[file.name])!r} cannot be read"):
                content = await asyncio.to_thread(paths[file.name].open, "rb")
            with content:
                sent = await send(
                    self._transport,
                    self._payload_id,
                    file.name,
                    content,
                    file.mode,
                    lambda nbytes: meter.count(file.name, nbytes),
                )
            meter.count(file.name, 0, ends=True)
            return sent

        return Transfer(await move_all(wanted.values(), move), tuple(kept))

    async def _there(self) -> dict[str, int]:
        answers = self._transport.stream(
            "Payloads", "Details", payload_id=to_wire(self._payload_id)
        )
        info = reading.payload([answer async for answer in answers])
        prefix = _INPUT if info.type is PayloadType.PIPELINE else ""
        return {
            file.name.removeprefix(prefix): file.size
            for file in info.files
            if file.name.startswith(prefix)
        }

    def _refuse(self, names: set[str]) -> None:
        if names:
            raise AlreadyExistsError(
                f"payload {self._payload_id} has {min(names)!r} already"
                + (f", and {len(names) - 1} more" if len(names) > 1 else "")
            )
