# SPDX-License-Identifier: Apache-2.0
"""The three stages as processes of `torch.multiprocessing`, which queue CUDA tensors.

As favourable as its interface lets: a `SimpleQueue`, which has no thread, a ring of tensors that
are shared again and again, and a receiver that keeps what it has seen, so that torch finds the
memory open. A semaphore says when a tensor may be filled again; only waiting for the stream makes
that safe.

Usage: python -m bench.gpu.programs.pipeline_torch NBYTES
"""

from __future__ import annotations

import sys
import time
from typing import Any

import torch
import torch.multiprocessing

from bench.gpu.programs.serving import serve

DEPTH = 4
PATIENCE = 20.0


class Edge:
    """A queue of tensors, and how many may be filled."""

    def __init__(self, context: Any) -> None:
        self.queue = context.SimpleQueue()
        self.free = context.Semaphore(DEPTH)


class Stage:
    """One process of three."""

    def __init__(self, role: str, nbytes: int, edges: tuple[Any, Any]) -> None:
        self._incoming, self._outgoing = edges
        self._make = getattr(self, role)
        words = nbytes // 4
        self._ring = [torch.empty(words, dtype=torch.int32, device="cuda") for _ in range(DEPTH)]
        self._total = torch.zeros(1, dtype=torch.int64, device="cuda")
        self._kept: list[Any] = []
        self._number = 0
        torch.cuda.synchronize()

    def step(self) -> None:
        """Handle one frame."""
        target = self._ring[self._number % DEPTH]
        if self._outgoing is not None and not self._outgoing.free.acquire(timeout=PATIENCE):
            raise TimeoutError("no tensor was given back")
        self._make(target)
        if self._outgoing is not None:
            self._outgoing.queue.put(target)
        self._number += 1

    def produce(self, target: Any) -> None:
        """Fill a frame."""
        target.fill_(self._number)

    def filter(self, target: Any) -> None:
        """Make a frame of another."""
        torch.mul(self._take(), 2, out=target).add_(1)
        self._give_back()

    def reduce(self, _: Any) -> None:
        """Add a frame up."""
        self._total.add_(self._take().sum(dtype=torch.int64))
        self._give_back()

    def _take(self) -> Any:
        tensor = self._incoming.queue.get()
        self._kept.append(tensor)
        if len(self._kept) > DEPTH:
            del self._kept[0]
        return tensor

    def _give_back(self) -> None:
        torch.cuda.current_stream().synchronize()
        self._incoming.free.release()


def serve_stage(role: str, nbytes: int, edges: tuple[Any, Any], orders: Any) -> None:
    """Be one process."""
    stage = Stage(role, nbytes, edges)
    orders.send("ready")
    while (steps := orders.recv()) is not None:
        cpu = time.process_time_ns()
        for _ in range(steps):
            stage.step()
        torch.cuda.current_stream().synchronize()
        orders.send(time.process_time_ns() - cpu)


def main() -> None:
    """Start the stages, and take orders for all of them."""
    nbytes = int(sys.argv[1])
    context = torch.multiprocessing.get_context("spawn")
    first, second = Edge(context), Edge(context)
    edges = {"produce": (None, first), "filter": (first, second), "reduce": (second, None)}
    ours = []
    for role, ends in edges.items():
        mine, theirs = context.Pipe()
        context.Process(target=serve_stage, args=(role, nbytes, ends, theirs), daemon=True).start()
        theirs.close()
        ours.append(mine)

    def answers() -> list[Any]:
        found = []
        for connection in ours:
            if not connection.poll(60):
                raise TimeoutError("a stage does not answer")
            found.append(connection.recv())
        return found

    answers()

    def case(_: str, steps: int) -> dict[str, int]:
        wall = time.monotonic_ns()
        for connection in ours:
            connection.send(steps)
        cpu = sum(answers())
        return {"steps": steps, "wall_ns": time.monotonic_ns() - wall, "cpu_ns": cpu}

    serve(case)


if __name__ == "__main__":
    main()
