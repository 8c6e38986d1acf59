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
    that it was. What cannot be written, as on a full disk, is lost, and a line says so when there
    is room again: that is no reason for the operator to stop.

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
        self._file: BinaryIO | None = None
        self._size = 0
        self._received = 0
        self._missing = 0
        with contextlib.suppress(OSError):
            self._file = path.open("w+b", buffering=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._missing:
            self.write(b"")
        if self._file is not None:
            self._file.close()

    def write(self, data: bytes) -> None:
        """Append if that can be done; whoever opens the file sees it at once."""
        self._received += len(data)
        try:
            if self._file is None:
                self._file = self._path.open("w+b", buffering=0)
            if self._missing:
                self._append(
                    self._file, b"\n[%d bytes could not be written here]\n" % self._missing
                )
                self._missing = 0
            self._append(self._file, data)
        except OSError:
            self._missing += len(data)
            return
        if self._limit is not None and self._size > self._limit:
            with contextlib.suppress(OSError):  # Then the next write tries it again.
                self._leave_out(self._file, self._limit // _KEPT)

    def _append(self, file: BinaryIO, data: bytes) -> None:
        """Write all of it, or leave the file as it was."""
        file.seek(self._size)
        try:
            _write_all(file, data)
        except OSError:
            file.truncate(self._size)
            raise
        self._size += len(data)

    def _leave_out(self, file: BinaryIO, kept: int) -> None:
        """Write the file anew, without what is between its beginning and its end."""
        file.seek(0)
        head = _whole_lines(file.read(kept))
        file.seek(self._size - kept)
        tail = file.read()
        tail = tail[tail.find(b"\n") + 1 :]
        count = self._received - len(head) - len(tail)
        note = b"[%d bytes are left out here: the log had become too long]\n" % count
        new = self._path.with_name(f"{self._path.name}.new")
        shorter: BinaryIO = new.open("w+b", buffering=0)
        try:
            _write_all(shorter, b"".join((head, note, tail)))
            os.replace(new, self._path)  # noqa: PTH105 - reads as what it does
        except BaseException:
            shorter.close()
            with contextlib.suppress(OSError):
                new.unlink()
            raise
        file.close()
        self._file = shorter
        self._size = len(head) + len(note) + len(tail)


def _write_all(file: BinaryIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _whole_lines(data: bytes) -> bytes:
    """Cut after the last line end; what has none becomes a line."""
    end = data.rfind(b"\n") + 1
    return data[:end] if end else data + b"\n"
