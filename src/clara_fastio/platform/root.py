# SPDX-License-Identifier: Apache-2.0
"""The folder of a server, which one server has at a time."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from clara_fastio.errors import AlreadyExistsError, SystemCallError

if TYPE_CHECKING:
    from pathlib import Path


class Root:
    """The locked folder; the lock dies with the process.

    Raises
    ------
    AlreadyExistsError
        Another server has it.
    SystemCallError
        It cannot be made or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            self._lock = os.open(self.path / ".lock", flags, 0o600)
        except OSError as error:
            raise SystemCallError(
                f"the root {str(path)!r} cannot be used: {error.strerror}", errno=error.errno or 0
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise AlreadyExistsError(
                f"another server uses the root {str(path)!r}; stop it, or name another root"
            ) from error

    def close(self) -> None:
        """Let the next server have it."""
        os.close(self._lock)
