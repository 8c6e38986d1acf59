# SPDX-License-Identifier: Apache-2.0
"""Downloads files and folders."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from clara_fastio.errors import AlreadyExistsError, NotFoundError
from clara_fastio.platform.client.local_files import Destination
from clara_fastio.platform.client.streams import receive
from clara_fastio.platform.client.transfers import Existing, Meter, Transfer, move_all

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from clara_fastio.platform.client.models import PayloadFile, PayloadInfo
    from clara_fastio.platform.client.transfers import Progress
    from clara_fastio.platform.client.transport import Transport


class Download:
    """Gets files of one payload.

    Parameters
    ----------
    transport
        The way to the server.
    info
        The payload.
    name
        A file, a folder, or nothing for all.
    """

    def __init__(self, transport: Transport, info: PayloadInfo, name: str) -> None:
        self._transport = transport
        self._info = info
        self._name = name.removeprefix("./").strip("/")

    async def run(
        self,
        destination: str | os.PathLike[str],
        existing: Existing,
        progress: Callable[[Progress], None] | None,
    ) -> Transfer:
        """Get what there is, less what need not be got."""
        folder, targets = self._plan(str(destination))
        place = await asyncio.to_thread(Destination, folder)
        sizes = {name: await asyncio.to_thread(place.size_of, name) for name in targets}
        there = {name: size for name, size in sizes.items() if size is not None}
        if there and existing is Existing.REFUSE:
            raise AlreadyExistsError(
                f"there is {str(folder / min(there))!r} already"
                + (f", and {len(there) - 1} more" if len(there) > 1 else "")
                + "; resume, overwrite, or name another place"
            )
        kept = {
            name: file
            for name, file in targets.items()
            if existing is Existing.RESUME and there.get(name) == file.size
        }
        names = {file.name: name for name, file in targets.items() if name not in kept}
        wanted = [file for name, file in targets.items() if name not in kept]
        meter = Meter(wanted, progress)

        async def move(file: PayloadFile) -> PayloadFile:
            await self._fetch(file, place, names[file.name], meter)
            return file

        return Transfer(await move_all(wanted, move), tuple(kept.values()))

    def _plan(self, destination: str) -> tuple[Path, dict[str, PayloadFile]]:
        """Say which folder files go to, and under which names."""
        path = Path(destination)
        for file in self._info.files:
            if self._name and file.name == self._name:
                is_folder = destination.endswith("/") or path.is_dir()
                last = file.name.rpartition("/")[2]
                return (path, {last: file}) if is_folder else (path.parent, {path.name: file})
        prefix = f"{self._name}/" if self._name else ""
        below = [file for file in self._info.files if file.name.startswith(prefix)]
        if self._name and not below:
            raise NotFoundError(
                f"payload {self._info.id} has no file and no folder called {self._name!r}"
            )
        return path, {file.name[len(prefix) :]: file for file in below}

    async def _fetch(self, file: PayloadFile, place: Destination, name: str, meter: Meter) -> None:
        new = await asyncio.to_thread(place.create, name, file.mode)
        with new:
            chunks = receive(self._transport, self._info.id, file.name)
            async with contextlib.aclosing(chunks):
                async for chunk in chunks:
                    await asyncio.to_thread(new.write, chunk)
                    meter.count(file.name, len(chunk))
            new.complete()
        meter.count(file.name, 0, ends=True)
