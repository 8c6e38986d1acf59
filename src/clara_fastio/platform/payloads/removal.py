# SPDX-License-Identifier: Apache-2.0
"""Removes what is not wanted any more."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
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


def remove_tree(path: Path) -> None:
    """Remove a folder or file; folders that an operator has locked are unlocked for that."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    try:
        shutil.rmtree(path)
    except PermissionError:
        _unlock(path)
        shutil.rmtree(path)


def _unlock(path: Path) -> None:
    path.chmod(0o700)
    for place, below, _ in os.walk(path):
        # Before they are looked into, which the walk does after this.
        for folder in (Path(place) / name for name in below):
            if not folder.is_symlink():
                with contextlib.suppress(OSError):
                    folder.chmod(0o700)
