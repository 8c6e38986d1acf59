# SPDX-License-Identifier: Apache-2.0
"""How long is the way from one process's stream to the other process, there and back?

Each side looks at a word that the other's stream writes, and has its own stream answer: half of it
is the time from giving a write to the driver until another process sees it.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import statistics
import sys
import time

from bench.gpu.driver import Driver
from bench.gpu.probes.asking import Other, conclude, serve

NBYTES = 1 << 16
ROUNDS = 2000
PATIENCE = 5.0


class Side:
    """One of two processes that answer each other."""

    def __init__(self, descriptor: int, mine: int) -> None:
        self._driver = Driver()
        self._map = mmap.mmap(descriptor, NBYTES)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        self._driver.register(address, NBYTES)
        self._mine = self._driver.host_pointer(address) + 64 * mine
        self._other = ctypes.c_uint64.from_address(address + 64 * (1 - mine))
        self._stream = self._driver.stream()

    def send(self, value: int) -> None:
        """Have the stream write."""
        self._driver.write_value(self._stream, self._mine, value)

    def receive(self, value: int) -> None:
        """Look until the other's stream has written."""
        deadline = time.monotonic() + PATIENCE
        while self._other.value < value:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the other's write {value} did not come")

    def answer(self, rounds: int) -> None:
        """Answer as often as the other begins."""
        for i in range(1, rounds + 1):
            self.receive(i)
            self.send(i)


def main() -> None:
    """Begin each round, and give the times."""
    if len(sys.argv) > 1:
        serve({"answer": Side(int(sys.argv[1]), 1).answer})
        return
    descriptor = os.memfd_create("probe")
    os.ftruncate(descriptor, NBYTES)
    side = Side(descriptor, 0)
    taken = []
    with Other("latency", descriptor, pass_fds=[descriptor]) as other:
        other.tell("answer", rounds=ROUNDS)
        for i in range(1, ROUNDS + 1):
            begin = time.perf_counter_ns()
            side.send(i)
            side.receive(i)
            taken.append((time.perf_counter_ns() - begin) / 2e3)
        other.answer()
    steady = sorted(taken[ROUNDS // 10 :])
    conclude(
        {
            "one way, us, median": round(statistics.median(steady), 2),
            "one way, us, 99th of 100": round(steady[int(0.99 * len(steady))], 2),
            "rounds": len(steady),
        }
    )


if __name__ == "__main__":
    main()
