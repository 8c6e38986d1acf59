# SPDX-License-Identifier: Apache-2.0
"""Counts the segments that processes hold, as the kernel shows them under ``/proc``."""

from __future__ import annotations

import gc
import os
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.helpers.names import RUN

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "/memfd:clara-fastio"


class Held(NamedTuple):
    """One way in which one process keeps one segment in memory."""

    pid: int
    how: str
    segment: str


def held_by(pid: int) -> Counter[Held]:
    """Count the segments that a process has open or mapped."""
    return Counter(Held(pid, how, name) for how, name in _names(pid) if name.startswith(PREFIX))


def held_by_this_run() -> Counter[Held]:
    """Count what this process holds, and what any other holds of a context of this run."""
    held = held_by(os.getpid())
    for entry in Path("/proc").glob("[0-9]*"):
        if int(entry.name) != os.getpid():
            others = held_by(int(entry.name))
            held += Counter({one: count for one, count in others.items() if RUN in one.segment})
    return held


def wait_until_given_back(before: Counter[Held], timeout: float = 5) -> Counter[Held]:
    """Wait until nothing is held that was not held before; return what still is.

    The host works in threads and the kernel tears down a killed process in its own time, so what
    is held right now does not count; what is held for good does.
    """
    deadline = time.monotonic() + timeout
    while (left := held_by_this_run() - before) and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.01)
    return left


def _names(pid: int) -> Iterator[tuple[str, str]]:
    """Name all that a process has open or mapped; nothing when it is gone or not ours."""
    process = Path("/proc", str(pid))
    try:
        for descriptor in (process / "fd").iterdir():
            yield "fd", _target(descriptor)
        for line in (process / "maps").read_text(errors="replace").splitlines():
            if PREFIX in line:
                yield "map", line.split(maxsplit=5)[5]
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return


def _target(descriptor: Path) -> str:
    """Read where a descriptor leads; nowhere when it was closed meanwhile."""
    try:
        return str(descriptor.readlink())
    except FileNotFoundError:
        return ""
