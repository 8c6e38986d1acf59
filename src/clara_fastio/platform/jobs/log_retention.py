# SPDX-License-Identifier: Apache-2.0
"""Removes the logs of jobs that are too old, or too many."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

_LOG = logging.getLogger("clara_fastio.platform")
#: Seconds between two looks.
_LOOK_EVERY = 600.0
_DAY = 86400.0


@dataclass(frozen=True)
class Retention:
    """How long logs are kept, and how many bytes of all jobs together; ``None`` is no limit."""

    days: float | None = None
    capacity: int | None = None


@dataclass(frozen=True)
class _Logs:
    """The logs of a job: when one was last written to, in seconds since 1970, and their bytes."""

    job_id: str
    written: float
    nbytes: int


def remove_old(logs: Path, limits: Retention, spared: Collection[str]) -> list[str]:
    """Remove what is too old, then the oldest of what is too much; blocks.

    Parameters
    ----------
    logs
        The folder of all logs.
    limits
        Of them.
    spared
        Jobs whose logs stay and count: they are still being written.

    Returns
    -------
    list
        The jobs whose logs were removed.
    """
    found = sorted(_all_of(logs), key=lambda each: each.written)
    total = sum(each.nbytes for each in found)
    oldest = 0.0 if limits.days is None else time.time() - limits.days * _DAY
    removed = []
    for each in found:
        is_too_much = limits.capacity is not None and total > limits.capacity
        if each.job_id in spared or not (is_too_much or each.written < oldest):
            continue
        shutil.rmtree(logs / each.job_id, ignore_errors=True)
        total -= each.nbytes
        removed.append(each.job_id)
    return removed


async def keep_removing(
    logs: Path, limits: Retention, active: Callable[[], Collection[str]]
) -> None:
    """Look now and then, for as long as the server runs.

    Parameters
    ----------
    logs, limits
        As for :func:`remove_old`.
    active
        Names the jobs that are queued or run.
    """
    while limits != Retention():
        try:
            removed = await asyncio.to_thread(remove_old, logs, limits, active())
        except OSError as error:
            _LOG.warning("old logs cannot be removed: %s", error)
        else:
            if removed:
                _LOG.info("removed the logs of %d jobs", len(removed))
        await asyncio.sleep(_LOOK_EVERY)


def _all_of(logs: Path) -> Iterator[_Logs]:
    with os.scandir(logs) as folders:
        for folder in folders:
            if folder.is_dir(follow_symlinks=False):
                yield _look_into(folder)


def _look_into(folder: os.DirEntry[str]) -> _Logs:
    statuses = [folder.stat(follow_symlinks=False)]
    with os.scandir(folder) as files:
        statuses += [file.stat(follow_symlinks=False) for file in files]
    written = max(status.st_mtime for status in statuses)
    return _Logs(folder.name, written, sum(status.st_size for status in statuses[1:]))
