# SPDX-License-Identifier: Apache-2.0
"""A text that names this process for as long as the machine is up, to be put on containers."""

from __future__ import annotations

import os
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
#: In /proc/PID/stat, behind the name of the program: the time of the start.
_START = 19


def owner_mark() -> str:
    """Name this process so that no later one is taken for it."""
    pid = os.getpid()
    return f"{_boot()}/{_namespace()}/{os.geteuid()}/{pid}/{_start_of(pid)}"


def is_dead(mark: str) -> bool:
    """Whether the process of this user that a mark names has ended.

    One that cannot be seen from here, or is another user's, counts as alive.
    """
    try:
        boot, namespace, user, pid, start = mark.split("/")
        if user != str(os.geteuid()):
            return False
        if boot != _boot():
            return True
        return namespace == _namespace() and _start_of(int(pid)) != start
    except ValueError:
        return False


def _boot() -> str:
    return _BOOT.read_text().strip()


def _namespace() -> str:
    """Name the space of process ids: in another one, the same number is another process."""
    return str(os.stat("/proc/self/ns/pid").st_ino)  # noqa: PTH116 - no file, an id


def _start_of(pid: int) -> str:
    """Tell when a process was started; nothing when there is none, or only its remains."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in b"ZX" else fields[_START].decode()
