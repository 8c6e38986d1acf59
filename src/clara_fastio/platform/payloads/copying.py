# SPDX-License-Identifier: Apache-2.0
"""Copies files as cheaply as the volume allows, and never so that one copy changes the other."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from typing import TYPE_CHECKING

from clara_fastio.platform.payloads.folders import open_file, opened

if TYPE_CHECKING:
    from pathlib import Path

    from clara_fastio.platform.payloads.names import Parts

_FICLONE = 0x40049409
_STEP = 64 << 20
_WRITABLE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
#: The volume, or the two files, cannot do it that way.
_NOT_THIS_WAY = {
    errno.EOPNOTSUPP,
    errno.ENOTTY,
    errno.EINVAL,
    errno.EXDEV,
    errno.EPERM,
    errno.ENOSYS,
    errno.EMLINK,
}


def copy_file(source: Path, parts: Parts, target: Path, target_parts: Parts) -> int:
    """Copy a regular file to a name that is free; gives its size in bytes.

    Blocks are shared where the volume can (reflink). Else a file that nobody may write is linked,
    unless this is the administrator, whom modes do not stop: an operator that writes to its input
    must not change the payload that others use. All else is copied within the kernel.

    Raises
    ------
    FileNotFoundError
        There is no such file any more.
    FileExistsError
        The name is taken.
    NotADirectoryError
        A folder of the new name is a file.
    """
    origin = open_file(source, parts)
    try:
        status = os.fstat(origin)
        with opened(target, target_parts[:-1], make=True) as folder:
            name = target_parts[-1]
            if not _share(origin, status, folder, name):
                _link_or_copy(origin, status, folder, name)
        return status.st_size
    finally:
        os.close(origin)


def _share(origin: int, status: os.stat_result, folder: int, name: str) -> bool:
    copy = _make(folder, name, status)
    try:
        fcntl.ioctl(copy, _FICLONE, origin)
    except OSError as error:
        os.unlink(name, dir_fd=folder)
        if error.errno in _NOT_THIS_WAY:
            return False
        raise
    else:
        return True
    finally:
        os.close(copy)


def _link_or_copy(origin: int, status: os.stat_result, folder: int, name: str) -> None:
    if os.geteuid() != 0 and not status.st_mode & _WRITABLE and _link(origin, folder, name):
        return
    copy = _make(folder, name, status)
    try:
        while os.copy_file_range(origin, copy, _STEP):
            pass
        os.fdatasync(copy)
    except OSError:
        os.unlink(name, dir_fd=folder)
        raise
    finally:
        os.close(copy)


def _link(origin: int, folder: int, name: str) -> bool:
    try:
        # By the descriptor: the name may stand for another file by now.
        os.link(f"/proc/self/fd/{origin}", name, dst_dir_fd=folder, follow_symlinks=True)
    except OSError as error:
        if error.errno in _NOT_THIS_WAY | {errno.ENOENT}:
            return False
        raise
    return True


def _make(folder: int, name: str, status: os.stat_result) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(name, flags, 0o600, dir_fd=folder)
    with contextlib.suppress(PermissionError):
        os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
    return descriptor
