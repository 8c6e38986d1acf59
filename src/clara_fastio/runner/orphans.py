# SPDX-License-Identifier: Apache-2.0
"""The runner as subreaper: what loses its launcher comes here and does not escape."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from clara_fastio.runner.runtimes.launcher import PR_SET_CHILD_SUBREAPER, children_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_PR_GET_CHILD_SUBREAPER = 37

_changing = threading.Lock()
_jobs = 0
_before = ctypes.c_int()


@contextlib.contextmanager
def adopting(job_id: str) -> Iterator[None]:
    """Adopt the orphans of a job while the block runs, and kill them at its end.

    They are told from other children of this process by the job's id in their environment.
    """
    _count(1)
    try:
        yield
    finally:
        kill_orphans(f"NVIDIA_CLARA_JOBID={job_id}")
        _count(-1)


def _count(change: int) -> None:
    """Be a subreaper from the first job of this process to the end of its last."""
    global _jobs  # noqa: PLW0603 - the kernel keeps one such flag for the whole process
    libc = ctypes.CDLL(None, use_errno=True)
    with _changing:
        if _jobs == 0:
            libc.prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(_before), 0, 0, 0)
        _jobs += change
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1 if _jobs else _before.value, 0, 0, 0)


def kill_orphans(*marks: str) -> None:
    """Kill the children of this process that have all these ``NAME=value`` in their environment.

    Launchers have them too: the caller makes sure that those meant have ended.
    """
    # Killing one may hand its own children to this process: look until there is nothing left.
    while orphans := [pid for pid in children_of(os.getpid()) if _is_marked(pid, marks)]:
        for pid in orphans:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in orphans:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _is_marked(pid: int, marks: tuple[str, ...]) -> bool:
    try:
        found = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # Gone, or a program that another user owns.
        return False
    return {mark.encode() for mark in marks} <= set(found)
