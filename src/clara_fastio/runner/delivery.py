# SPDX-License-Identifier: Apache-2.0
"""Brings the results of a job to the folder that was asked for, one operator at a time."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import shutil
import stat
from pathlib import Path

#: What a job leaves in its output folder; the record comes last and says that all is there.
RECORD = "job.json"
RESULTS = ("operators", "logs", RECORD)

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def deliver(work: Path, output: Path, staging: Path) -> None:
    """Move the results of a job; whoever looks sees each operator's old results or its new ones.

    Parameters
    ----------
    work
        Holds the results. When this fails, it still does, but for what was delivered.
    output
        Receives them in place of those of an earlier run.
    staging
        An empty folder in `output`, to be removed afterwards.

    Raises
    ------
    OSError
        There is no room, or no permission.
    """
    new, old = staging / "new", staging / "old"
    new.mkdir()
    old.mkdir()
    try:
        for name in RESULTS:
            _fetch(work / name, new / name)
        with contextlib.suppress(FileNotFoundError):
            (output / RECORD).rename(old / RECORD)
        _install_operators(new / "operators", output / "operators", old)
        for name in RESULTS[1:]:
            _install(new / name, output / name)
    except OSError:
        for name in RESULTS:
            with contextlib.suppress(OSError):  # It was copied, or delivered.
                (new / name).rename(work / name)
        raise


def _fetch(source: Path, target: Path) -> None:
    """Move a file or folder; copy it when it lies on another file system."""
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True, ignore=_special_files)
        else:
            shutil.copy2(source, target)


def _special_files(folder: str, names: list[str]) -> list[str]:
    """Name the pipes, sockets and devices: they are nothing without the processes they serve."""
    return [name for name in names if _is_special((Path(folder) / name).lstat().st_mode)]


def _is_special(mode: int) -> bool:
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode))


def _install_operators(new: Path, target: Path, old: Path) -> None:
    target.mkdir(exist_ok=True)
    wanted = {path.name for path in new.iterdir()}
    for name in sorted(wanted):
        _install(new / name, target / name)
    for path in target.iterdir():
        if path.name not in wanted:
            path.rename(old / f"operator-{path.name}")


def _install(source: Path, target: Path) -> None:
    """Put a file or folder in place; what was there before goes to where it came from."""
    if not target.exists():
        source.rename(target)
    elif not _exchange(source, target):
        aside = source.with_name(f"replaced-{source.name}")
        target.rename(aside)
        source.rename(target)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two names in one step; False where the system cannot."""
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        rename = libc.renameat2
    except AttributeError:
        return False
    names = os.fsencode(one), os.fsencode(other)
    if rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in {errno.EINVAL, errno.ENOSYS}:
        return False
    raise OSError(code, os.strerror(code), str(other))
