# SPDX-License-Identifier: Apache-2.0
"""One side of a hand-over; `cpp/bench/bench_handover.cpp` is its twin.

Usage: python -m bench.programs.handover CPU ping|pong CONTEXT NBYTES
"""

from __future__ import annotations

import sys

import clara_fastio as fastio
from bench.harness.serving import pin, serve


class Side:
    """The first and the last byte stand for the content: a hop costs the same at any size."""

    def __init__(self, context: fastio.Context, mine: str, other: str, nbytes: int) -> None:
        self._mine = context.variable(mine, shape=(nbytes,))
        # Who makes a variable with a fixed shape produces it, so this one is opened later.
        self._open_other = lambda: context[other]
        self._sent = 0
        self._received = 0

    def send(self) -> None:
        """Write a new content."""
        self._sent += 1
        with self._mine.map("w", timeout=10) as array:
            array[0] = array[-1] = self._sent % 256

    def receive(self) -> None:
        """Wait for the other side's next content, and look at it."""
        self._received += 1
        self._other.wait(version=self._received)
        with self._other.map("r", timeout=10) as array:
            if array[0] != self._received % 256 or array[-1] != self._received % 256:
                raise RuntimeError("the wrong content arrived")

    def touch(self) -> None:
        """Bring every page of both into this process; both sides are there by now."""
        self._other = self._open_other()
        self._sent += 1
        with self._mine.map("w", timeout=10) as array:
            array[...] = 1
        self._received += 1
        self._other.wait(version=self._received)
        with self._other.map("r", timeout=10) as array:
            if not array.all():
                raise RuntimeError("a byte was not written")


def ping(side: Side, steps: int) -> None:
    """Begin each round trip."""
    for _ in range(steps):
        side.send()
        side.receive()


def pong(side: Side, steps: int) -> None:
    """Answer each round trip."""
    for _ in range(steps):
        side.receive()
        side.send()


def main() -> None:
    """Open the context and take orders."""
    cpu, mine, name, nbytes = sys.argv[1:]
    pin(int(cpu))
    other, hop = ("pong", ping) if mine == "ping" else ("ping", pong)
    side = Side(fastio.open_context(name), mine, other, int(nbytes))
    serve({"touch": lambda _: side.touch(), "hop": lambda steps: hop(side, steps)})


if __name__ == "__main__":
    main()
