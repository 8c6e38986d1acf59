# SPDX-License-Identifier: Apache-2.0
"""Decides which queued jobs may start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clara_fastio.platform.jobs.capacity import Resources
from clara_fastio.platform.jobs.queue import JobQueue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clara_fastio.platform.records.states import JobPriority


@dataclass(frozen=True)
class Ticket:
    """A queued job and what it needs."""

    job_id: str
    priority: JobPriority
    needs: Resources


class Scheduler:
    """Gives out the machine, in whole jobs: all that a job's operators request, or nothing.

    Parameters
    ----------
    capacity
        What there is to be given out.
    slots
        How many jobs may run at once.
    devices
        Names of the GPUs in `capacity`; numbers by default.
    """

    def __init__(
        self, capacity: Resources, slots: int, devices: Sequence[str] | None = None
    ) -> None:
        self.capacity = capacity
        self.slots = slots
        self.queue: JobQueue[Ticket] = JobQueue()
        self._running: dict[str, Resources] = {}
        self._devices = [str(each) for each in range(capacity.gpu)] if devices is None else devices
        self._given: dict[str, list[str]] = {}

    @property
    def free(self) -> Resources:
        """What is not given out."""
        return self.capacity - sum(self._running.values(), Resources())

    @property
    def running(self) -> int:
        """How many jobs have been started and not released."""
        return len(self._running)

    def put(self, ticket: Ticket) -> None:
        """Queue a job that needs no more than the machine has."""
        self.queue.put(ticket.job_id, ticket.priority, ticket)

    def put_back(self, ticket: Ticket) -> None:
        """Queue a job again that could not be started after all."""
        self.release(ticket.job_id)
        self.queue.put_back(ticket.job_id, ticket.priority, ticket)

    def remove(self, job_id: str) -> bool:
        """Take a job out of the queue; whether it was there."""
        return self.queue.remove(job_id)

    def take(self) -> Ticket | None:
        """Take the job whose turn it is, if there is room for it now."""
        ticket = self.queue.peek()
        if ticket is None or len(self._running) >= self.slots or not ticket.needs.fits(self.free):
            return None
        self.queue.take()
        self._running[ticket.job_id] = ticket.needs
        given = {name for names in self._given.values() for name in names}
        free = [name for name in self._devices if name not in given]
        self._given[ticket.job_id] = free[: ticket.needs.gpu]
        return ticket

    def devices_of(self, job_id: str) -> list[str]:
        """Name the GPUs that a job has to itself until it is released."""
        return self._given.get(job_id, [])

    def release(self, job_id: str) -> None:
        """Take back what a job had."""
        self._running.pop(job_id, None)
        self._given.pop(job_id, None)
