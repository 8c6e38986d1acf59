# SPDX-License-Identifier: Apache-2.0
"""`torch.multiprocessing`: tensors in shared memory, whose handles go through a queue.

As favourable as its interface lets: the strategy ``file_system``, which is the faster one, a
`SimpleQueue`, which has no thread, a ring of tensors that are shared once, and a receiver that
keeps what it has seen, so that torch finds the memory mapped. When a tensor may be filled again,
says a semaphore.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.multiprocessing

from bench.frames.plan import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.queues import SimpleQueue
    from multiprocessing.synchronize import Semaphore

    import numpy as np

    from bench.frames.plan import Plan

PACKAGES = ("torch",)
IS_PINNED = True


class End(NamedTuple):
    """What both ends of an edge share."""

    queue: SimpleQueue
    free: Semaphore
    nbytes: int
    depth: int


class TensorSender:
    """Puts tensors of a ring."""

    def __init__(self, end: End) -> None:
        self._end = end
        self._tensors = [
            torch.empty(end.nbytes, dtype=torch.uint8).share_memory_() for _ in range(end.depth)
        ]
        self._arrays = [tensor.numpy() for tensor in self._tensors]
        self._sent = 0

    def next(self) -> np.ndarray:
        """Wait until a tensor is free."""
        if not self._end.free.acquire(timeout=PATIENCE):
            raise TimeoutError(f"no tensor was given back within {PATIENCE:g} s")
        return self._arrays[self._sent % self._end.depth]

    def send(self) -> None:
        """Put it."""
        self._end.queue.put(self._tensors[self._sent % self._end.depth])
        self._sent += 1

    def finish(self) -> None:
        """Put what is no tensor."""
        self._end.queue.put(None)


class TensorReceiver:
    """Gets tensors."""

    def __init__(self, end: End) -> None:
        self._end = end
        self._kept = []
        self.release = end.free.release

    def receive(self) -> np.ndarray | None:
        """Get one."""
        tensor = self._end.queue.get()
        if tensor is None:
            return None
        self._kept.append(tensor)
        if len(self._kept) > self._end.depth:
            del self._kept[0]
        return tensor.numpy()


@contextlib.contextmanager
def edge(nbytes: int, plan: Plan) -> Iterator[tuple[End, End]]:
    """Make a queue of handles."""
    context = torch.multiprocessing.get_context("spawn")
    end = End(context.SimpleQueue(), context.Semaphore(plan.depth), nbytes, plan.depth)
    yield end, end
    end.queue.close()


def sender(end: End, _plan: Plan) -> TensorSender:
    """Open the queue to put."""
    _settle()
    return TensorSender(end)


def receiver(end: End, _plan: Plan) -> TensorReceiver:
    """Open the queue to get."""
    _settle()
    return TensorReceiver(end)


def _settle() -> None:
    torch.multiprocessing.set_sharing_strategy("file_system")
    torch.set_num_threads(1)
