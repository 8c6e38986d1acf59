# SPDX-License-Identifier: Apache-2.0
"""What the machine has, and what a job asks for."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clara_fastio.errors import OutOfMemoryError, PreconditionError
from clara_fastio.runner.runtimes.devices import device_names

if TYPE_CHECKING:
    from clara_fastio.pipeline import Pipeline, Requests

_MEGABYTE = 1_000_000
_CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


@dataclass(frozen=True)
class Resources:
    """Logical cores, GPUs, and memory in megabytes."""

    cpu: int = 0
    gpu: int = 0
    memory: int = 0

    def __add__(self, other: Resources) -> Resources:
        return Resources(self.cpu + other.cpu, self.gpu + other.gpu, self.memory + other.memory)

    def __sub__(self, other: Resources) -> Resources:
        return Resources(self.cpu - other.cpu, self.gpu - other.gpu, self.memory - other.memory)

    def fits(self, room: Resources) -> bool:
        """Whether there is so much of everything in `room`."""
        return self.cpu <= room.cpu and self.gpu <= room.gpu and self.memory <= room.memory


def machine_resources() -> Resources:
    """Find out what this machine, or the container around this process, has."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for path in _CGROUP_LIMITS:
        try:
            memory = min(memory, int(path.read_text()))
        except (OSError, ValueError):  # No such file, or no limit ("max").
            continue
    gpus = device_names(os.environ)
    return Resources(len(os.sched_getaffinity(0)), len(gpus), memory // _MEGABYTE)


def needs_of(pipeline: Pipeline, whole: Resources) -> Resources:
    """Add up what all operators and services of a job ask for.

    Cores can be shared, so that a job which asks for more than there are gets all of them.

    Raises
    ------
    OutOfMemoryError
        There is less memory than the job asks for, however long it waits.
    PreconditionError
        There are fewer GPUs.
    """
    total = Resources()
    for operator in pipeline.operators:
        total += _resources(operator.requests)
        for service in operator.services:
            total += _resources(service.requests)
    if total.memory > whole.memory:
        raise OutOfMemoryError(
            f"the job's operators request {total.memory} MB of memory together, and the server "
            f"has {whole.memory} MB; lower their requests",
            requested=total.memory * _MEGABYTE,
            available=whole.memory * _MEGABYTE,
        )
    if total.gpu > whole.gpu:
        raise PreconditionError(
            f"the job's operators request {total.gpu} GPUs together, and the server has "
            f"{whole.gpu}; lower their requests"
        )
    return Resources(min(total.cpu, whole.cpu), total.gpu, total.memory)


def _resources(requests: Requests) -> Resources:
    return Resources(requests.cpu, requests.gpu, requests.memory)
