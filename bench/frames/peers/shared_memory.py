# SPDX-License-Identifier: Apache-2.0
"""`multiprocessing.shared_memory`: a ring of slots, and two semaphores as its events.

The views of the slots are made once, as anybody would who counts microseconds.
"""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
from multiprocessing import shared_memory  # noqa: TID251 - a peer that is measured
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bench.frames.plan import PATIENCE
from bench.frames.ring import RingReceiver, RingSender, offsets, stride

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.synchronize import Semaphore

    from bench.frames.plan import Plan

PACKAGES = ()
IS_PINNED = True

_UNKNOWN = 2**64 - 1

_kept = []  # A view does not keep its memory open.


class End(NamedTuple):
    """What both ends of an edge share."""

    name: str
    nbytes: int
    depth: int
    free: Semaphore
    filled: Semaphore

    def views(self) -> tuple[list[np.ndarray], memoryview]:
        """Give the slots, and the number of frames of the whole stream, once it is known."""
        memory = shared_memory.SharedMemory(self.name)
        _kept.append(memory)
        slots = [
            np.ndarray(self.nbytes, np.uint8, memory.buf, offset)
            for offset in offsets(self.nbytes, self.depth)
        ]
        end = stride(self.nbytes) * self.depth
        return slots, memory.buf[end : end + 8].cast("Q")


@contextlib.contextmanager
def edge(nbytes: int, plan: Plan) -> Iterator[tuple[End, End]]:
    """Make the memory and its semaphores."""
    context = multiprocessing.get_context("spawn")
    memory = shared_memory.SharedMemory(create=True, size=stride(nbytes) * plan.depth + 8)
    end = End(memory.name, nbytes, plan.depth, context.Semaphore(plan.depth), context.Semaphore(0))
    yield end, end
    memory.close()
    memory.unlink()


def sender(end: End, _plan: Plan) -> RingSender:
    """Open the memory to write to it."""
    slots, total = end.views()
    total[0] = _UNKNOWN
    sent = itertools.count()

    def signal(is_frame: bool) -> None:  # noqa: FBT001 - called for each frame
        number = next(sent)
        if not is_frame:
            total[0] = number
        end.filled.release()

    return RingSender(slots.__getitem__, end.depth, lambda: _acquire(end.free), signal)


def receiver(end: End, _plan: Plan) -> RingReceiver:
    """Open the memory to read from it."""
    slots, total = end.views()
    received = itertools.count()

    def wait() -> bool:
        _acquire(end.filled)
        return next(received) != total[0]

    return RingReceiver(slots.__getitem__, end.depth, wait, end.free.release)


def _acquire(semaphore: Semaphore) -> None:
    if not semaphore.acquire(timeout=PATIENCE):
        raise TimeoutError(f"nothing came within {PATIENCE:g} s")
