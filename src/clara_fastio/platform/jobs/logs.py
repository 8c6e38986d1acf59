# SPDX-License-Identifier: Apache-2.0
"""The logs of jobs: read in chunks of lines, and the notes about a job itself."""

from __future__ import annotations

import contextlib
import os
import stat
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Name of the log about the job itself, that its runner writes.
RUNNER_LOG = "clara-pod-manager"
#: Bytes of one chunk, about; no character of UTF-8 takes more on the wire than in the file but
#: those that are not UTF-8, which become three bytes each.
_CHUNK = 256 << 10
#: Bytes after which a line is continued on the next one.
_LONGEST_LINE = 64 << 10


def read_lines(log: Path) -> Iterator[list[str]]:
    """Read a log as it is now, without line ends; blocks.

    Lines that are longer than a chunk may be are given in pieces. A log that is not there, or that
    an operator has replaced by something else, has no lines.
    """
    try:
        descriptor = os.open(log, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        return
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a path would be followed
        left = status.st_size
        rest = b""
        while left > 0 and (data := file.read(min(_CHUNK, left))):
            left -= len(data)
            *lines, rest = (rest + data).split(b"\n")
            while len(rest) > _LONGEST_LINE:
                lines.append(rest[:_LONGEST_LINE])
                rest = rest[_LONGEST_LINE:]
            if lines:
                yield [line.decode(errors="replace").rstrip("\r") for line in lines]
        if rest:
            yield [rest.decode(errors="replace").rstrip("\r")]


def add_note(logs: Path, text: str) -> None:
    """Append a line to the log about a job; where that cannot be done, it is left out.

    Parameters
    ----------
    logs
        The folder of the job's logs, made if it is not there.
    text
        What callers may read.
    """
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with contextlib.suppress(OSError):
        logs.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(logs / f"{RUNNER_LOG}.log", flags, 0o666)
        with open(descriptor, "a", errors="replace") as log:  # noqa: PTH123 - see above
            log.write(f"{now}Z {text}\n")
