# SPDX-License-Identifier: Apache-2.0
"""What processes hold of fake devices, as the kernel shows it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

#: Begins the name of each piece of memory that a fake device has.
MARK = "fake-cuda:"


class Held(NamedTuple):
    """In how many ways a process keeps memory of a fake device."""

    mappings: int
    descriptors: int


def held_by(pid: int) -> Held:
    """Count what a process has mapped and open."""
    process = Path("/proc", str(pid))
    mappings = sum(MARK in line for line in (process / "maps").read_text().splitlines())
    descriptors = 0
    for entry in (process / "fd").iterdir():
        try:
            descriptors += MARK in str(entry.readlink())
        except FileNotFoundError:
            continue  # It was closed meanwhile.
    return Held(mappings, descriptors)


def wait_until(condition: Callable[[], bool], what: str, timeout: float = 10) -> None:
    """Wait for what other processes and threads do in their own time; fail if they never do."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"it did not come true that {what}"
        time.sleep(0.005)
