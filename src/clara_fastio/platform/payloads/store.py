# SPDX-License-Identifier: Apache-2.0
"""The folders of all payloads; every call blocks, and belongs in a thread."""

from __future__ import annotations

import contextlib
import logging
import os
import uuid
from typing import TYPE_CHECKING

from clara_fastio.errors import AlreadyExistsError
from clara_fastio.platform.payloads import names
from clara_fastio.platform.payloads.copying import copy_file
from clara_fastio.platform.payloads.faults import storage_faults
from clara_fastio.platform.payloads.folders import files_below, open_file, opened
from clara_fastio.platform.payloads.reading import OpenFile, StoredFile, no_file, open_named
from clara_fastio.platform.payloads.removal import Left, prune, remove_tree
from clara_fastio.platform.payloads.upload import Upload
from clara_fastio.platform.payloads.usage import StorageLimits, Usage
from clara_fastio.platform.records.payloads import PayloadType

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

_LOG = logging.getLogger("clara_fastio.platform")

INPUT = "input"

# A reusable file that nobody may write can be linked into jobs: see `copy_file`.
_MODES = {PayloadType.PIPELINE: 0o644, PayloadType.REUSABLE: 0o444}


class PayloadStore:
    """One folder per payload, named by its id.

    The payload of a job holds ``input/`` and what the job makes, ``operators/``; a reusable one
    holds its files at the top. Nothing that a client or an operator has named is reached through a
    link.

    Thread safety: any thread. Two calls on one payload at once leave it as one after the other.

    Parameters
    ----------
    root
        The server's folder; ``payloads`` and ``uploads`` are made in it, on one volume.
    limits
        What all payloads may take.
    """

    def __init__(self, root: Path, limits: StorageLimits | None = None) -> None:
        self._payloads = root / "payloads"
        self._drafts = root / "uploads"
        with storage_faults():
            for folder in (self._payloads, self._drafts):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.usage = Usage(self._payloads, limits or StorageLimits())

    def folder(self, payload_id: str) -> Path:
        """Give the folder of a payload, there or not."""
        return self._payloads / payload_id

    def create(self, payload_id: str, payload_type: PayloadType) -> None:
        """Make an empty payload.

        Raises
        ------
        OutOfMemoryError
            The payloads take what they may, or the volume is full.
        """
        self.usage.require()
        with storage_faults():
            self.folder(payload_id).mkdir()
            if payload_type is PayloadType.PIPELINE:
                (self.folder(payload_id) / INPUT).mkdir()

    def delete(self, payload_id: str) -> Left | None:
        """Remove a payload with all that it holds, at once for whoever looks; twice is fine.

        Returns
        -------
        Left
            What is still on the disk, as the system does not permit to remove it; the next
            :meth:`sweep` tries it again.
        """
        with storage_faults():
            grave = self._drafts / uuid.uuid4().hex
            with contextlib.suppress(FileNotFoundError):
                self.folder(payload_id).rename(grave)
                self.usage.forget(payload_id)
                if left := remove_tree(grave):
                    _LOG.warning("of payload %s, in %s, %s", payload_id, grave, left)
                    return left
        return None

    def sweep(self, known: Collection[str]) -> None:
        """Remove what a killed server has left, and count the rest; before the first call.

        Parameters
        ----------
        known
            Ids of the payloads that there are; folders of others were never acknowledged.
        """
        with storage_faults():
            for left in self._drafts.iterdir():
                if kept := remove_tree(left):
                    _LOG.warning("in %s, %s", left, kept)
            for folder in self._payloads.iterdir():
                if folder.name not in known:
                    self.delete(folder.name)
                else:
                    self.recount(folder.name)

    def recount(self, payload_id: str) -> int:
        """Count a payload that others have written to, as a job does; gives its bytes."""
        with storage_faults():
            try:
                nbytes = sum(found.size for found in files_below(self.folder(payload_id)))
            except FileNotFoundError:
                nbytes = 0
            self.usage.put(payload_id, nbytes)
            return nbytes

    def files(self, payload_id: str) -> Iterator[StoredFile]:
        """List all files in the order of their names, folder by folder."""
        with storage_faults():
            for found in files_below(self.folder(payload_id)):
                yield StoredFile(names.shown_name(found.parts), found.size, found.mode)

    def open(self, payload_id: str, name: str) -> OpenFile:
        """Open a file for reading; the caller closes it.

        A name that fits one file but for case means that file; of several it has to be exact.

        Raises
        ------
        InvalidRequestError
            The name is none, or fits several files and none exactly.
        NotFoundError
            There is no such file.
        """
        return open_named(self.folder(payload_id), name)

    def find(self, payload_id: str, name: str) -> StoredFile:
        """Find a file as :meth:`open` does."""
        file = self.open(payload_id, name)
        file.close()
        return file.stored

    def remove(self, payload_id: str, name: str) -> None:
        """Remove one file, whose name has to be exact; folders that are empty then go too.

        Raises
        ------
        InvalidRequestError
            The name is none.
        NotFoundError
            There is no such file.
        """
        parts = names.parse_name(name)
        payload = self.folder(payload_id)
        with storage_faults():
            try:
                os.close(open_file(payload, parts))
                with opened(payload, parts[:-1]) as folder:
                    nbytes = os.lstat(parts[-1], dir_fd=folder).st_size
                    os.unlink(parts[-1], dir_fd=folder)
            except FileNotFoundError as error:
                raise no_file(parts) from error
            self.usage.add(payload_id, -nbytes)
            keep = 1 if parts[0] == INPUT else 0
            prune(payload, parts[:-1], keep=keep)

    def begin_upload(self, payload_id: str, payload_type: PayloadType) -> Upload:
        """Prepare to take files; those of a job's payload go to its input. Does not block."""
        return Upload(
            payload_id,
            self.folder(payload_id),
            below=(INPUT,) if payload_type is PayloadType.PIPELINE else (),
            drafts=self._drafts,
            usage=self.usage,
            default_mode=_MODES[payload_type],
        )

    def copy_into(self, job_payload_id: str, reusable_ids: Iterable[str]) -> None:
        """Copy all files of reusable payloads, in this order, into the input of a job's payload.

        When this raises, the job's payload is to be deleted: it holds a part of them.

        Raises
        ------
        AlreadyExistsError
            Two payloads have a file of the same name, or a file where the other has a folder.
        OutOfMemoryError
            There is no room for them.
        """
        target = self.folder(job_payload_id)
        for reusable_id in reusable_ids:
            source = self.folder(reusable_id)
            with storage_faults():
                for found in files_below(source):
                    self.usage.require(found.size)
                    try:
                        nbytes = copy_file(source, found.parts, target, (INPUT, *found.parts))
                    except (FileExistsError, NotADirectoryError) as error:
                        raise AlreadyExistsError(
                            f"{names.shown_name(found.parts)!r} of the input payload "
                            f"{reusable_id!r} is in another one too; remove it from one of them"
                        ) from error
                    except FileNotFoundError:  # Removed meanwhile.
                        continue
                    self.usage.add(job_payload_id, nbytes)
