# SPDX-License-Identifier: Apache-2.0
"""Removes what is not wanted any more."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clara_fastio.platform.payloads.folders import opened

if TYPE_CHECKING:
    from clara_fastio.platform.payloads.names import Parts

_IN_USE = {errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT, errno.ENOTDIR}


def prune(payload: Path, parts: Parts, *, keep: int) -> None:
    """Remove folders that hold nothing, from below.

    Parameters
    ----------
    payload
        Where the names begin.
    parts
        The lowest folder.
    keep
        How many of its parts stay, empty or not.
    """
    for length in range(len(parts), keep, -1):
        try:
            with opened(payload, parts[: length - 1]) as above:
                os.rmdir(parts[length - 1], dir_fd=above)
        except OSError as error:
            if error.errno in _IN_USE:
                return
            raise


@dataclass(frozen=True)
class Left:
    """What could not be removed: files, their bytes, and the system's reason."""

    files: int
    nbytes: int
    reason: str

    def __str__(self) -> str:
        return f"{self.files} files of {self.nbytes} bytes could not be removed: {self.reason}"


def remove_tree(path: Path) -> Left | None:
    """Remove a folder or file; folders that an operator has locked are unlocked for that.

    Returns
    -------
    Left
        What is left because the system does not permit to remove it, as with files in a folder of
        another user; ``None`` if nothing is.
    """
    try:
        _remove(path)
    except PermissionError:
        _unlock(path)
        try:
            _remove(path)
        except PermissionError as error:
            shutil.rmtree(path, ignore_errors=True)  # All but that.
            return _count(path, error.strerror or "not permitted")
    return None


def _remove(path: Path) -> None:
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path)


def _count(path: Path, reason: str) -> Left:
    found = [Path(place) / name for place, _, names in os.walk(path) for name in names]
    nbytes = 0
    for file in found:
        with contextlib.suppress(OSError):
            nbytes += file.lstat().st_size
    return Left(len(found), nbytes, reason)


def _unlock(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.chmod(0o700)
    for place, below, _ in os.walk(path):
        # Before they are looked into, which the walk does after this.
        for folder in (Path(place) / name for name in below):
            if not folder.is_symlink():
                with contextlib.suppress(OSError):
                    folder.chmod(0o700)
