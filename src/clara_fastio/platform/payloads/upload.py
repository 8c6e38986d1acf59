# SPDX-License-Identifier: Apache-2.0
"""Files that come in one stream, and appear in their payload together when it has ended."""

from __future__ import annotations

import contextlib
import os
import threading
import uuid
from typing import TYPE_CHECKING

from clara_fastio.errors import AlreadyExistsError, ClosedError
from clara_fastio.platform.payloads.draft import Data, Draft
from clara_fastio.platform.payloads.faults import storage_faults
from clara_fastio.platform.payloads.folders import opened
from clara_fastio.platform.payloads.names import parse_name, shown_name
from clara_fastio.platform.payloads.usage import IN_FLIGHT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from clara_fastio.platform.payloads.names import Parts
    from clara_fastio.platform.payloads.usage import Usage

_TRIES = 3


class Upload:
    """Files on their way into one payload.

    The order is: :meth:`write` for each part, :meth:`flush`, then :meth:`commit` at a moment when
    nobody can make the payload read-only, then :meth:`settle`; or :meth:`abort` at any time.

    Thread safety: any thread, one call at a time; :meth:`abort` waits for the call that goes on.

    Parameters
    ----------
    payload_id
        Whose files they will be.
    payload
        Its folder.
    below
        Where in it the names begin.
    drafts
        A folder on the same volume, for files that are not whole yet.
    usage
        Counts what comes.
    default_mode
        Of files whose sender gives none.
    """

    def __init__(
        self,
        payload_id: str,
        payload: Path,
        *,
        below: Parts,
        drafts: Path,
        usage: Usage,
        default_mode: int,
    ) -> None:
        self._payload_id = payload_id
        self._payload = payload
        self._below = below
        self._drafts = drafts
        self._usage = usage
        self._default_mode = default_mode
        self._lock = threading.Lock()
        self._files: dict[Parts, Draft] = {}
        self._folders: set[Parts] = set()
        self._current: Draft | None = None
        #: Whether it was settled or aborted.
        self.is_closed = False

    def write(self, name: str, mode: int, chunks: Sequence[Data]) -> int:
        """Append to a file, which begins with its first part; gives its size so far in bytes.

        Raises
        ------
        InvalidRequestError
            The name is none.
        AlreadyExistsError
            It names a folder, or something below a file.
        OutOfMemoryError
            A limit is reached, or the volume is full.
        UnavailableError
            The storage failed.
        """
        with self._lock, storage_faults():
            self._require_open()
            nbytes = sum(map(len, chunks))
            self._usage.require(nbytes)
            draft = self._draft(name, mode)
            self._usage.add(IN_FLIGHT, nbytes)
            draft.reserved += nbytes
            draft.write(chunks)
            return draft.size

    def flush(self) -> None:
        """Bring the content of all files to the disk; may take long."""
        with self._lock, storage_faults():
            self._require_open()
            self._rest()
            for draft in self._files.values():
                draft.path.chmod(draft.mode)

    def commit(self) -> None:
        """Put the files in place, each at once; those of the same names are replaced.

        Does nothing after :meth:`abort`: whoever asked for it has gone.

        Raises
        ------
        AlreadyExistsError
            A folder has come into the way since the names were checked.
        """
        with self._lock, storage_faults():
            if self.is_closed:
                return
            for parts in self._files:
                self._require_free(parts)
            for parts, draft in self._files.items():
                replaced = self._install(parts, draft)
                self._usage.add(IN_FLIGHT, -draft.reserved)
                self._usage.add(self._payload_id, draft.size - replaced)
                draft.is_installed = True

    def settle(self) -> None:
        """Bring the names to the disk too: what was acknowledged survives a loss of power."""
        with self._lock, storage_faults():
            places = {parts[:length] for parts in self._files for length in range(len(parts))}
            for place in sorted(places, key=len, reverse=True):
                # It may have been emptied and removed, or the payload deleted.
                with contextlib.suppress(FileNotFoundError), opened(self._payload, place) as folder:
                    os.fsync(folder)
            self.is_closed = True

    def abort(self) -> None:
        """Forget the files that are not in place; does nothing after :meth:`settle`."""
        with self._lock:
            if self.is_closed:
                return
            self.is_closed = True
            for draft in self._files.values():
                if not draft.is_installed:
                    draft.discard()
                    self._usage.add(IN_FLIGHT, -draft.reserved)

    def _require_open(self) -> None:
        if self.is_closed:
            raise ClosedError("the upload has ended")

    def _draft(self, name: str, mode: int) -> Draft:
        parts = self._below + parse_name(name)
        draft = self._files.get(parts)
        if draft is None:
            self._require_free(parts)
            self._rest()
            draft = Draft(self._drafts / uuid.uuid4().hex, _file_mode(mode, self._default_mode))
            self._files[parts] = draft
            self._folders.update(parts[:length] for length in range(1, len(parts)))
        elif draft is not self._current:
            self._rest()
        self._current = draft
        return draft

    def _rest(self) -> None:
        if self._current is not None:
            self._current.rest()
            self._current = None

    def _require_free(self, parts: Parts) -> None:
        """Refuse a name that is a folder, or that leads through a file."""
        above = [parts[:length] for length in range(1, len(parts))]
        is_folder = parts in self._folders
        is_below_file = any(place in self._files for place in above)
        try:
            with opened(self._payload, parts):
                is_folder = True
        except FileNotFoundError:
            pass
        except NotADirectoryError:  # This name, or one above it, is a file.
            is_below_file |= not _is_file(self._payload, parts)
        if is_folder or is_below_file:
            what = "is a folder" if is_folder else "leads through a file"
            raise AlreadyExistsError(
                f"{shown_name(parts)!r} {what} of the payload; use another name, or remove it first"
            )

    def _install(self, parts: Parts, draft: Draft) -> int:
        """Rename the draft; gives the bytes of the file that it replaces."""
        for left in reversed(range(_TRIES)):
            with opened(self._payload, parts[:-1], make=True) as folder:
                replaced = 0
                with contextlib.suppress(FileNotFoundError):
                    replaced = os.lstat(parts[-1], dir_fd=folder).st_size
                try:
                    os.rename(draft.path, parts[-1], dst_dir_fd=folder)
                except FileNotFoundError:  # The folder was empty, and removed just now.
                    if not left:
                        raise
                else:
                    return replaced
        raise AssertionError


def _file_mode(given: int, default: int) -> int:
    """Take the permissions of a mode; the server itself must be able to read the file."""
    return (given & 0o777 or default) | 0o400


def _is_file(payload: Path, parts: Parts) -> bool:
    with contextlib.suppress(OSError), opened(payload, parts[:-1]) as folder:
        os.lstat(parts[-1], dir_fd=folder)
        return True
    return False
