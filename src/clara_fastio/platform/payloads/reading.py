# SPDX-License-Identifier: Apache-2.0
"""Finds files of a payload by the names that clients write, and reads them."""

from __future__ import annotations

import contextlib
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clara_fastio.errors import InvalidRequestError, NotFoundError
from clara_fastio.platform.payloads import names
from clara_fastio.platform.payloads.faults import storage_faults
from clara_fastio.platform.payloads.folders import entries, open_file

if TYPE_CHECKING:
    from pathlib import Path

    from clara_fastio.platform.payloads.folders import Entry
    from clara_fastio.platform.payloads.names import Parts


@dataclass(frozen=True)
class StoredFile:
    """A file of a payload: its name with a leading ``/``, its size in bytes, its permissions."""

    name: str
    size: int
    mode: int


class OpenFile:
    """A file that is being read; stays readable when it is removed or replaced.

    Thread safety: any thread; :meth:`close` waits for the call that goes on.
    """

    def __init__(self, stored: StoredFile, descriptor: int) -> None:
        self.stored = stored
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def read(self, offset: int, nbytes: int) -> bytes:
        """Read so many bytes from there; fewer only at the end of the file."""
        with self._lock, storage_faults():
            data = os.pread(self._descriptor, nbytes, offset)
            while len(data) < nbytes:
                more = os.pread(self._descriptor, nbytes - len(data), offset + len(data))
                if not more:
                    break
                data += more
            return data

    def close(self) -> None:
        """Close it; twice is fine."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1


def open_named(payload: Path, name: str) -> OpenFile:
    """Open a file for reading; the caller closes it.

    A name that fits one file but for case means that file; of several it has to be exact.

    Raises
    ------
    InvalidRequestError
        The name is none, or fits several files and none exactly.
    NotFoundError
        There is no such file.
    """
    wanted = names.parse_name(name)
    with storage_faults():
        try:
            return _opened(payload, wanted)
        except FileNotFoundError:
            pass
        try:
            return _opened(payload, _match(payload, wanted))
        except FileNotFoundError as error:  # Removed meanwhile.
            raise no_file(wanted) from error


def no_file(parts: Parts) -> NotFoundError:
    """Make the error for a name that nothing has."""
    return NotFoundError(
        f"the payload has no file {names.shown_name(parts)!r}; its details list those it has"
    )


def _opened(payload: Path, parts: Parts) -> OpenFile:
    descriptor = open_file(payload, parts)
    status = os.fstat(descriptor)
    stored = StoredFile(names.shown_name(parts), status.st_size, status.st_mode & 0o777)
    return OpenFile(stored, descriptor)


def _match(payload: Path, wanted: Parts) -> Parts:
    """Find the one file that a name means but for case."""
    matches: list[Parts] = [()]
    for part in wanted:
        matches = [
            (*above, entry.name)
            for above in matches
            for entry in _entries_if_folder(payload, above)
            if names.is_same(entry.name, part)
        ]
    found = []
    for parts in matches:
        with contextlib.suppress(FileNotFoundError):
            os.close(open_file(payload, parts))
            found.append(parts)
    if not found:
        raise no_file(wanted)
    if len(found) > 1:
        shown = ", ".join(repr(names.shown_name(parts)) for parts in found)
        raise InvalidRequestError(
            f"{names.shown_name(wanted)!r} fits several files, which differ in case: {shown}; "
            "give the exact name of one"
        )
    return found[0]


def _entries_if_folder(payload: Path, parts: Parts) -> list[Entry]:
    try:
        return entries(payload, parts)
    except (FileNotFoundError, NotADirectoryError):
        return []
