# SPDX-License-Identifier: Apache-2.0
"""`multiprocessing.Queue`: every frame is pickled into a pipe by a thread of the queue."""

from __future__ import annotations

import contextlib
import multiprocessing
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bench.frames.plan import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.queues import Queue

    from bench.frames.plan import Plan

PACKAGES = ()
IS_PINNED = False  # The thread that pickles.


class End(NamedTuple):
    """What both ends of an edge share."""

    queue: Queue
    nbytes: int


class QueueSender:
    """Puts arrays."""

    def __init__(self, end: End) -> None:
        self._queue, self._nbytes = end

    def next(self) -> np.ndarray:
        """Make an array; the last one may not be pickled yet."""
        self._frame = np.empty(self._nbytes, np.uint8)
        return self._frame

    def send(self) -> None:
        """Put it."""
        self._queue.put(self._frame, timeout=PATIENCE)

    def finish(self) -> None:
        """Put what is no array."""
        self._queue.put(None)


class QueueReceiver:
    """Gets arrays."""

    def __init__(self, end: End) -> None:
        self._queue = end.queue

    def receive(self) -> np.ndarray | None:
        """Get one."""
        return self._queue.get(timeout=PATIENCE)

    def release(self) -> None:
        """Nothing is shared."""


@contextlib.contextmanager
def edge(nbytes: int, plan: Plan) -> Iterator[tuple[End, End]]:
    """Make a queue."""
    end = End(multiprocessing.get_context("spawn").Queue(plan.depth), nbytes)
    yield end, end
    end.queue.close()


def sender(end: End, _plan: Plan) -> QueueSender:
    """Open the queue to put."""
    return QueueSender(end)


def receiver(end: End, _plan: Plan) -> QueueReceiver:
    """Open the queue to get."""
    return QueueReceiver(end)
