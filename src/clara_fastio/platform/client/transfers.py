# SPDX-License-Identifier: Apache-2.0
"""What moves between a payload and this machine: how far it is, and what came of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from clara_fastio.platform.client.models import PayloadFile

#: Bytes that are read, sent and written at once.
CHUNK = 1 << 20

#: Files that move at the same time.
_PARALLEL = 4


class Existing(StrEnum):
    """What becomes of files that are at the other end already."""

    #: Move nothing and raise `AlreadyExistsError`.
    REFUSE = "refuse"
    #: Move all.
    REPLACE = "replace"
    #: Leave those of the same size alone and move the others, whole. For what was interrupted:
    #: content is not compared.
    RESUME = "resume"


@dataclass(frozen=True)
class Progress:
    """How far a transfer is, in bytes and files; `name` is the file that has just moved on."""

    name: str
    nbytes: int
    total_nbytes: int
    files: int
    total_files: int


@dataclass(frozen=True)
class Transfer:
    """The files that were moved, and those that were there already."""

    moved: tuple[PayloadFile, ...]
    kept: tuple[PayloadFile, ...] = ()

    @property
    def nbytes(self) -> int:
        """Bytes that were moved."""
        return sum(file.size for file in self.moved)


class Meter:
    """Counts, and reports each step.

    Parameters
    ----------
    files
        All that will be moved.
    report
        Called for each step.
    """

    def __init__(
        self, files: Iterable[PayloadFile], report: Callable[[Progress], None] | None
    ) -> None:
        sizes = [file.size for file in files]
        self._nbytes = self._files = 0
        self._total_nbytes, self._total_files = sum(sizes), len(sizes)
        self._report = report

    def count(self, name: str, nbytes: int, *, ends: bool = False) -> None:
        """Take bytes into account, or the end of a file."""
        self._nbytes += nbytes
        self._files += ends
        if self._report is not None:
            progress = Progress(
                name, self._nbytes, self._total_nbytes, self._files, self._total_files
            )
            self._report(progress)


async def move_all(
    files: Iterable[PayloadFile], move: Callable[[PayloadFile], Awaitable[PayloadFile]]
) -> tuple[PayloadFile, ...]:
    """Move several files at a time; the first failure stops all."""
    room = asyncio.Semaphore(_PARALLEL)

    async def one(file: PayloadFile) -> PayloadFile:
        async with room:
            return await move(file)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(file)) for file in files]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return tuple(task.result() for task in tasks)
