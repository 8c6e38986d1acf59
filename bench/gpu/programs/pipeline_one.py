# SPDX-License-Identifier: Apache-2.0
"""The three stages in one process, on a stream each, with events between them.

Usage: python -m bench.gpu.programs.pipeline_one NBYTES
"""

from __future__ import annotations

import gc
import sys
from typing import Any

from bench.gpu import kernels
from bench.gpu.driver import EVENT_DISABLE_TIMING, Driver
from bench.gpu.programs.serving import serve, timed
from bench.harness.serving import pin
from bench.harness.workers import CPUS

DEPTH = 4


class Edge:
    """Frames between two streams: a stage waits for the frame, or for its being free."""

    def __init__(self, driver: Driver, nbytes: int) -> None:
        self._driver = driver
        self._frames = [kernels.empty(nbytes) for _ in range(DEPTH)]
        self._full = [driver.event(EVENT_DISABLE_TIMING) for _ in range(DEPTH)]
        self._free = [driver.event(EVENT_DISABLE_TIMING) for _ in range(DEPTH)]

    def to_fill(self, number: int, on: Any) -> Any:
        """Give the frame once it is free; an event that was never recorded counts as done."""
        self._driver.wait_event(on.ptr, self._free[number % DEPTH])
        return self._frames[number % DEPTH]

    def filled(self, number: int, on: Any) -> None:
        """Say that it is full."""
        self._driver.record(self._full[number % DEPTH], on.ptr)

    def to_use(self, number: int, on: Any) -> Any:
        """Give the frame once it is full."""
        self._driver.wait_event(on.ptr, self._full[number % DEPTH])
        return self._frames[number % DEPTH]

    def used(self, number: int, on: Any) -> None:
        """Say that it is free."""
        self._driver.record(self._free[number % DEPTH], on.ptr)


def main() -> None:
    """Take orders."""
    pin(CPUS[0])
    nbytes = int(sys.argv[1])
    driver = Driver()
    kernels.warm()
    first, second = Edge(driver, nbytes), Edge(driver, nbytes)
    produce, change, reduce = (kernels.stream() for _ in range(3))
    total = kernels.counters(1)
    number = 0

    def step() -> None:
        kernels.fill(first.to_fill(number, produce), number, produce)
        first.filled(number, produce)
        source, target = first.to_use(number, change), second.to_fill(number, change)
        kernels.twice(target, source, change)
        first.used(number, change)
        second.filled(number, change)
        kernels.add(second.to_use(number, reduce), total, reduce)
        second.used(number, reduce)

    def run(steps: int) -> None:
        nonlocal number
        for _ in range(steps):
            step()
            number += 1
        reduce.synchronize()

    gc.disable()
    serve(lambda _, steps: timed(lambda: run(steps), steps))


if __name__ == "__main__":
    main()
