# SPDX-License-Identifier: Apache-2.0
"""The folder of a server, which one server has at a time, and which goes with its records."""

from __future__ import annotations

import contextlib
import fcntl
import os
import uuid
from typing import TYPE_CHECKING

from clara_fastio.errors import AlreadyExistsError, PreconditionError, SystemCallError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MARK = ".id"
#: Folders from which the server removes what its records do not know.
_SWEPT = ("payloads", "uploads", "logs", "scratch")


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
        with self._faults():
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            self._lock = os.open(self.path / ".lock", flags, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise AlreadyExistsError(
                f"another server uses the root {str(path)!r}; stop it, or name another root"
            ) from error

    def claim(self, records_id: str | None) -> str:
        """Make sure that the folder and the records go together, before anything is swept.

        Parameters
        ----------
        records_id
            The id in the records; None if they are new.

        Returns
        -------
        str
            The id of the folder, to be kept in the records.

        Raises
        ------
        PreconditionError
            The folder holds what the records know nothing of, or they belong to another one.
        """
        with self._faults():
            mark = self._mark()
            if records_id is None:
                self._refuse_strangers()
                return mark or self._write_mark(uuid.uuid4().hex)
            if mark != records_id:
                raise PreconditionError(
                    f"the records of this database belong to another root than {str(self.path)!r}; "
                    "name that one, or another database. If its disk is lost, write "
                    f"{records_id} into the file {_MARK!r} of this root"
                )
            return mark

    def close(self) -> None:
        """Let the next server have it."""
        os.close(self._lock)

    def _mark(self) -> str:
        with contextlib.suppress(FileNotFoundError):
            return (self.path / _MARK).read_text(errors="replace").strip()
        return ""

    def _write_mark(self, mark: str) -> str:
        draft = self.path / f"{_MARK}.new"
        with draft.open("w") as file:
            file.write(f"{mark}\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path / _MARK)
        return mark

    def _refuse_strangers(self) -> None:
        for name in _SWEPT:
            with contextlib.suppress(FileNotFoundError), os.scandir(self.path / name) as entries:
                if (entry := next(entries, None)) is not None:
                    raise PreconditionError(
                        f"the root {str(self.path)!r} holds '{name}/{entry.name}', of which the "
                        "records of this database know nothing; name the database that it was "
                        "used with, or an empty root"
                    )

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SystemCallError(
                f"the root {str(self.path)!r} cannot be used: {error.strerror}",
                errno=error.errno or 0,
            ) from error
