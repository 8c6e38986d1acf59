# SPDX-License-Identifier: Apache-2.0
"""Ray: actors joined by a compiled graph, which is its fast way.

The driver, which is the supervisor here, starts each step and gets its end, so a round trip of a
hand-over passes through it as well. What an actor returns is copied into the channel. Actors of a
compiled graph look for work all the time, so they are stopped while others have their turns.
"""

from __future__ import annotations

import atexit
import collections
import contextlib
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import ray
from ray.dag import InputNode

from bench.frames.chain import processor_ns
from bench.frames.plan import PATIENCE
from bench.frames.work import FrameWork
from bench.harness.sampling import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.frames.plan import Plan

PACKAGES = ("ray",)
IS_PINNED = False

_ENVELOPE = 1 << 16
_SETTINGS = {"include_dashboard": False, "log_to_driver": False, "logging_level": "error"}


class Side:
    """One side of a hand-over; its methods give what the graph hands on."""

    def __init__(self, nbytes: int) -> None:
        self._frame = np.ones(nbytes, np.uint8)

    def send(self, number: int) -> np.ndarray:
        """Write a new content."""
        self._frame[0] = self._frame[-1] = number % 256
        return self._frame

    def answer(self, frame: np.ndarray) -> np.ndarray:
        """Answer a content."""
        return self.send(int(frame[0])) if frame[0] == frame[-1] else None

    def receive(self, frame: np.ndarray) -> int:
        """Look at an answer."""
        return int(frame[-1])


class Operator:
    """A stage of a pipeline; each process is one of them."""

    def __init__(self, nbytes: int) -> None:
        self._work = FrameWork(nbytes)
        self._frame = np.empty(nbytes, np.uint8)
        self._number = 0

    def produce(self, number: int) -> np.ndarray:
        """Make a frame."""
        self._work.produce(self._frame, number)
        return self._frame

    def filter(self, frame: np.ndarray) -> np.ndarray:
        """Make a frame from the one that came."""
        self._work.filter(self._frame, frame)
        return self._frame

    def reduce(self, frame: np.ndarray) -> int:
        """Look at a frame."""
        self._work.reduce(frame, self._number)
        self._number += 1
        return self._number % 256


class Graphs:
    """A compiled graph for each size, in the place of a `Chain`."""

    def __init__(self, plan: Plan) -> None:
        self._in_flight = plan.depth if plan.kind == "pipeline" else 1
        self._graphs = {nbytes: _graph(plan, nbytes) for nbytes in plan.sizes}
        self._numbers = dict.fromkeys(plan.sizes, 0)
        self.pids = [os.getpid(), *_descendants(os.getpid())]
        self._actors = [pid for pid in self.pids if _is_actor(pid)]
        _signal(self._actors, signal.SIGSTOP)

    def wait_until_ready(self) -> None:
        """Nothing: what is compiled is ready."""

    def run(self, _case: str, nbytes: int, steps: int) -> Sample:
        """Execute the graph so many times."""
        _signal(self._actors, signal.SIGCONT)
        before = self._processor_ns()
        wall = time.monotonic_ns()
        waiting = collections.deque()
        for _ in range(steps):
            if len(waiting) == self._in_flight:
                self._check(*waiting.popleft())
            number = self._numbers[nbytes]
            waiting.append((number, self._graphs[nbytes].execute(number)))
            self._numbers[nbytes] += 1
        while waiting:
            self._check(*waiting.popleft())
        wall_ns = time.monotonic_ns() - wall
        cpu_ns = self._processor_ns() - before
        _signal(self._actors, signal.SIGSTOP)
        return Sample(steps, wall_ns, cpu_ns, 0)

    def finish(self) -> None:
        """Nothing: a graph has no end of stream."""

    def _check(self, number: int, reference: Any) -> None:
        result = ray.get(reference, timeout=PATIENCE)
        if result not in {number % 256, (number + 1) % 256}:
            raise RuntimeError(f"step {number} gave {result}")

    def _processor_ns(self) -> int:
        return sum(processor_ns(pid) for pid in self.pids)


def _graph(plan: Plan, nbytes: int) -> Any:
    if plan.kind == "handover":
        ping, pong = (_actor(Side, nbytes) for _ in range(2))
        with InputNode() as number:
            end = ping.receive.bind(pong.answer.bind(ping.send.bind(number)))
    else:
        first, second, third = (_actor(Operator, nbytes) for _ in range(3))
        with InputNode() as number:
            end = third.reduce.bind(second.filter.bind(first.produce.bind(number)))
    return end.experimental_compile(
        _buffer_size_bytes=nbytes + _ENVELOPE, _max_inflight_executions=plan.depth
    )


def _actor(kind: type, nbytes: int) -> Any:
    return ray.remote(num_cpus=0)(kind).remote(nbytes)


@contextlib.contextmanager
def chain(plan: Plan) -> Iterator[Graphs]:
    """Start Ray and its actors; end all of its processes, since a teardown may take minutes."""
    store = 16 * plan.depth * max(plan.sizes) + (128 << 20)
    try:
        ray.init(num_cpus=1, object_store_memory=store, **_SETTINGS)
        yield Graphs(plan)
    finally:
        # Nothing would answer what Ray does at the exit of an interpreter.
        atexit.unregister(ray.shutdown)
        ended = _descendants(os.getpid())
        _signal(ended, signal.SIGKILL)
        for pid in (os.getpid(), *ended):
            # The semaphores of its channels, which nobody else removes.
            for left in Path("/dev/shm").glob(f"sem.???{pid}-*"):
                left.unlink(missing_ok=True)


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _is_actor(pid: int) -> bool:
    return Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"ray::")


def _descendants(pid: int) -> list[int]:
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name of a program may have blanks and brackets in it.
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found[1:]
