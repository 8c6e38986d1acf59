# SPDX-License-Identifier: Apache-2.0
"""A file that is not whole yet."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: A part of a file.
Data: TypeAlias = "bytes | memoryview"

#: The disk begins with each so many bytes while more are coming, so that the end need not wait.
_STEP = 8 << 20
_MOST_BUFFERS = 1024  # Of one call: IOV_MAX.
_SYNC_FILE_RANGE_WRITE = 2

_sync_file_range = ctypes.CDLL(None).sync_file_range
_sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)


class Draft:
    """Grows by appending, under a name that nobody looks at.

    Parameters
    ----------
    path
        Where it is until it is whole.
    mode
        Permissions that it gets then.
    """

    def __init__(self, path: Path, mode: int) -> None:
        self.path = path
        self.mode = mode
        self.size = 0
        self.reserved = 0  #: What was counted for it, written or not.
        self.is_installed = False
        self._started = 0
        self._descriptor = self._open(os.O_CREAT | os.O_EXCL)

    def write(self, chunks: Sequence[Data]) -> None:
        """Append, whatever number of calls that takes."""
        if self._descriptor < 0:
            self._descriptor = self._open(os.O_APPEND)
        views = [memoryview(chunk) for chunk in chunks if chunk]
        first = 0
        while first < len(views):
            written = os.writev(self._descriptor, views[first : first + _MOST_BUFFERS])
            self.size += written
            while first < len(views) and written >= len(views[first]):
                written -= len(views[first])
                first += 1
            if written:
                views[first] = views[first][written:]
        if self.size - self._started >= _STEP:
            # Only a hint: what goes wrong shows at the end.
            _sync_file_range(
                self._descriptor, self._started, self.size - self._started, _SYNC_FILE_RANGE_WRITE
            )
            self._started = self.size

    def rest(self) -> None:
        """Bring what is there to the disk, and close."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            try:
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)

    def discard(self) -> None:
        """Remove it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self.path.unlink(missing_ok=True)

    def _open(self, flags: int) -> int:
        return os.open(self.path, flags | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
