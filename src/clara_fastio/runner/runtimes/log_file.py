# SPDX-License-Identifier: Apache-2.0
"""The log of an operator, which may have a limit."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, BinaryIO, Self

if TYPE_CHECKING:
    from pathlib import Path

#: What is kept of a log that has become too long: this part of its limit from its beginning, and
#: as much from its end, so that it is rewritten once in a while only.
_KEPT = 4


class LogFile:
    """A log that keeps its beginning and its end when it becomes too long.

    A line in between says how much was left out. Who has the file open goes on reading the one
    that it was.

    Parameters
    ----------
    path
        Replaced if it is there.
    limit
        Bytes, of which the file may be one write longer; ``None`` for no limit.
    """

    def __init__(self, path: Path, limit: int | None = None) -> None:
        self._path = path
        self._limit = limit
        self._file: BinaryIO = path.open("w+b", buffering=0)
        self._size = 0
        self._received = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, data: bytes) -> None:
        """Append; whoever opens the file sees it at once."""
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        self._size += len(data)
        self._received += len(data)
        if self._limit is not None and self._size > self._limit:
            self._leave_out(self._limit // _KEPT)

    def _leave_out(self, kept: int) -> None:
        """Write the file anew, without what is between its beginning and its end."""
        self._file.seek(0)
        head = _whole_lines(self._file.read(kept))
        self._file.seek(self._size - kept)
        tail = self._file.read()
        tail = tail[tail.find(b"\n") + 1 :]
        count = self._received - len(head) - len(tail)
        note = b"[%d bytes are left out here: the log had become too long]\n" % count
        new = self._path.with_name(f"{self._path.name}.new")
        file: BinaryIO = new.open("w+b", buffering=0)
        try:
            file.write(b"".join((head, note, tail)))
            os.replace(new, self._path)  # noqa: PTH105 - reads as what it does
        except BaseException:
            file.close()
            with contextlib.suppress(OSError):
                new.unlink()
            raise
        self._file.close()
        self._file = file
        self._size = len(head) + len(note) + len(tail)


def _whole_lines(data: bytes) -> bytes:
    """Cut after the last line end; what has none becomes a line."""
    end = data.rfind(b"\n") + 1
    return data[:end] if end else data + b"\n"
