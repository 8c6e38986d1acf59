# SPDX-License-Identifier: Apache-2.0
"""The queue of jobs: first in, first out within a priority; priorities take turns."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

from clara_fastio.platform.records.states import JobPriority

Item = TypeVar("Item")

#: How often each has its turn; IMMEDIATE goes before all of them.
WEIGHTS = {JobPriority.HIGHER: 4, JobPriority.NORMAL: 2, JobPriority.LOWER: 1}


class JobQueue(Generic[Item]):
    """Waiting jobs by id.

    Of seven turns that are wanted by all priorities, HIGHER has four, NORMAL two and LOWER one, as
    evenly spread as they can be. A turn stays with whom it has come to until that one is taken or
    removed, so that a large job is not passed by for ever; only IMMEDIATE jobs push in.
    """

    def __init__(self) -> None:
        self._waiting: dict[JobPriority, OrderedDict[str, Item]] = {
            priority: OrderedDict() for priority in JobPriority
        }
        self._credit = dict.fromkeys(WEIGHTS, 0)
        self._turn: JobPriority | None = None

    def __len__(self) -> int:
        return sum(len(waiting) for waiting in self._waiting.values())

    def __contains__(self, job_id: str) -> bool:
        return any(job_id in waiting for waiting in self._waiting.values())

    def lengths(self) -> dict[JobPriority, int]:
        """Count the jobs of each priority; from any thread."""
        return {priority: len(waiting) for priority, waiting in self._waiting.items()}

    def put(self, job_id: str, priority: JobPriority, item: Item) -> None:
        """Add a job behind those of its priority."""
        self._waiting[priority][job_id] = item

    def put_back(self, job_id: str, priority: JobPriority, item: Item) -> None:
        """Add a job before those of its priority."""
        self.put(job_id, priority, item)
        self._waiting[priority].move_to_end(job_id, last=False)

    def remove(self, job_id: str) -> bool:
        """Take a job out; whether it was there."""
        return any(waiting.pop(job_id, None) is not None for waiting in self._waiting.values())

    def peek(self) -> Item | None:
        """Give the job whose turn it is; it stays."""
        priority = self._next_priority()
        return None if priority is None else next(iter(self._waiting[priority].values()))

    def take(self) -> Item:
        """Take out the job whose turn it is.

        Raises
        ------
        LookupError
            There is none.
        """
        priority = self._next_priority()
        if priority is None:
            raise LookupError("the queue is empty")
        if priority in WEIGHTS:
            self._turn = None
        return self._waiting[priority].popitem(last=False)[1]

    def _next_priority(self) -> JobPriority | None:
        if self._waiting[JobPriority.IMMEDIATE]:
            return JobPriority.IMMEDIATE
        if self._turn is None or not self._waiting[self._turn]:
            self._turn = self._give_turn()
        return self._turn

    def _give_turn(self) -> JobPriority | None:
        wanting = [priority for priority in WEIGHTS if self._waiting[priority]]
        for priority, weight in WEIGHTS.items():
            if priority in wanting:
                self._credit[priority] += weight
            else:  # Who does not want a turn does not save any up.
                self._credit[priority] = 0
        if not wanting:
            return None
        chosen = max(wanting, key=lambda priority: self._credit[priority])
        self._credit[chosen] -= sum(WEIGHTS[priority] for priority in wanting)
        return chosen
