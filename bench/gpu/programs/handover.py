# SPDX-License-Identifier: Apache-2.0
"""One side of a hand-over of device memory; ``twins/handover_cpp.cpp`` is its twin.

Usage: python -m bench.gpu.programs.handover CPU ping|pong CONTEXT NBYTES
Nothing is computed: a hop is what map, unmap and the wake-up cost.
"""

from __future__ import annotations

import gc
import sys

import clara_fastio as fastio
from bench.gpu.driver import Driver
from bench.gpu.programs.serving import serve, timed
from bench.harness.serving import pin


class Side:
    """Writes one variable and reads the other's."""

    def __init__(self, context: fastio.Context, mine: str, other: str, nbytes: int) -> None:
        self._driver = Driver()
        self._stream = self._driver.stream()
        self._mine = context.variable(mine, shape=(nbytes,), memory="device")
        self._open_other = lambda: context[other]
        self._nbytes = nbytes
        self._sent = self._received = 0

    def send(self) -> None:
        """Write a new content."""
        self._sent += 1
        self._mine.map("w", timeout=10, stream=self._stream).commit()

    def receive(self) -> None:
        """Wait for the other's next content."""
        self._received += 1
        self._other.wait(version=self._received)
        self._other.map("r", timeout=10, stream=self._stream).close()

    def touch(self) -> None:
        """Fill mine, open the other's, and look whether it is what it has to be."""
        self._sent += 1
        mapping = self._mine.map("w", timeout=30, stream=self._stream)
        self._driver.fill(mapping.pointer, 7, self._nbytes, self._stream)
        mapping.commit()
        self._other = self._open_other()
        self._received += 1
        self._other.wait(version=self._received)
        mapping = self._other.map("r", timeout=30, stream=self._stream)
        self._driver.synchronize(self._stream)
        if self._driver.first_bytes(mapping.pointer)[0] != 7:
            raise RuntimeError("the wrong content arrived")
        mapping.close()

    def synchronize(self) -> None:
        """Wait for the device, so that no turn works for another."""
        self._driver.synchronize(self._stream)


def main() -> None:
    """Open the context and take orders."""
    cpu, mine, name, nbytes = sys.argv[1:]
    pin(int(cpu))
    is_ping = mine == "ping"
    side = Side(fastio.open_context(name), mine, "pong" if is_ping else "ping", int(nbytes))
    gc.disable()

    def hop(steps: int) -> None:
        for _ in range(steps):
            if is_ping:
                side.send()
            side.receive()
            if not is_ping:
                side.send()

    def case(name: str, steps: int) -> dict[str, int]:
        if name == "opens":
            return {"steps": 1, "wall_ns": fastio.capabilities().opens, "cpu_ns": 0}
        cost = timed(side.touch if name == "touch" else lambda: hop(steps), steps)
        side.synchronize()
        return cost

    serve(case)


if __name__ == "__main__":
    main()
