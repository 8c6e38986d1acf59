# SPDX-License-Identifier: Apache-2.0
"""Opens what is below a folder, one part at a time: no link is ever followed."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clara_fastio.platform.payloads.names import Parts

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Not blocking: an operator may have left a pipe, whose opening waits for a writer.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Found(NamedTuple):
    """A regular file below a folder."""

    parts: Parts
    size: int
    mode: int


class Entry(NamedTuple):
    """A name in a folder, and what `lstat` says about it."""

    name: str
    status: os.stat_result


@contextlib.contextmanager
def opened(root: Path, parts: Parts = (), *, make: bool = False) -> Iterator[int]:
    """Open a folder below `root`; gives a descriptor that is closed afterwards.

    Parameters
    ----------
    root
        It and what is above it may be links.
    parts
        The way from there, of real folders only.
    make
        Make what is missing of it.

    Raises
    ------
    FileNotFoundError
        A part is missing.
    NotADirectoryError
        A part is a file or a link.
    """
    folder = os.open(root, _FOLDER & ~os.O_NOFOLLOW)
    try:
        for part in parts:
            above, folder = folder, _below(folder, part, make=make)
            os.close(above)
        yield folder
    finally:
        os.close(folder)


def open_file(root: Path, parts: Parts) -> int:
    """Open a regular file for reading; the caller closes the descriptor.

    Raises
    ------
    FileNotFoundError
        There is none of that name, or it is a folder, link, pipe or device.
    """
    try:
        with opened(root, parts[:-1]) as folder:
            # Looked at first: to open a device may do something.
            descriptor = -1
            if stat.S_ISREG(os.lstat(parts[-1], dir_fd=folder).st_mode):
                descriptor = os.open(parts[-1], _FILE, dir_fd=folder)
    except OSError as error:
        if error.errno in {errno.ENOTDIR, errno.ELOOP, errno.ENXIO}:
            raise FileNotFoundError(errno.ENOENT, "no such file") from error
        raise
    if descriptor >= 0 and stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    if descriptor >= 0:  # It was replaced in between.
        os.close(descriptor)
    raise FileNotFoundError(errno.ENOENT, "no regular file")


def entries(root: Path, parts: Parts) -> list[Entry]:
    """List a folder by name; what is removed meanwhile is left out."""
    found = []
    with opened(root, parts) as folder, os.scandir(folder) as listing:
        for entry in listing:
            with contextlib.suppress(FileNotFoundError):
                found.append(Entry(entry.name, entry.stat(follow_symlinks=False)))
    return sorted(found)


def files_below(root: Path, parts: Parts = ()) -> Iterator[Found]:
    """Give every regular file, folder by folder; links, pipes and devices are left out.

    Nothing is held open between two files, however deep they lie.
    """
    waiting = [parts]
    while waiting:
        place = waiting.pop()
        below = []
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # Removed meanwhile.
            for name, status in entries(root, place):
                if stat.S_ISDIR(status.st_mode):
                    below.append((*place, name))
                elif stat.S_ISREG(status.st_mode):
                    mode = stat.S_IMODE(status.st_mode) & 0o777
                    yield Found((*place, name), status.st_size, mode)
        waiting.extend(reversed(below))


def _below(folder: int, part: str, *, make: bool) -> int:
    try:
        return os.open(part, _FOLDER, dir_fd=folder)
    except FileNotFoundError:
        if not make:
            raise
    with contextlib.suppress(FileExistsError):
        os.mkdir(part, 0o755, dir_fd=folder)
    return os.open(part, _FOLDER, dir_fd=folder)
