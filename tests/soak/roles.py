# SPDX-License-Identifier: Apache-2.0
"""A process of the stream that is soaked: ``roles.py ROLE CONTEXT``, until SIGTERM."""

from __future__ import annotations

import math
import signal
import sys

import clara_fastio as fastio


def produce(variable: fastio.Variable) -> None:
    """Make frames whose content says their number."""
    asked_to_end = False

    def end(*_: object) -> None:
        nonlocal asked_to_end
        asked_to_end = True

    signal.signal(signal.SIGTERM, end)
    for number, array in enumerate(variable.frames(math.inf)):
        array[...] = number % 65536
        if asked_to_end:
            break
    variable.finish()


def consume(variable: fastio.Variable, **options: str) -> None:
    """Check that each frame is whole, and that they come in order."""
    last = -1
    for frame in variable.frames(**options):
        wanted = frame.number % 65536
        if frame.number <= last or frame.array[0, 0] != wanted or frame.array[-1, -1] != wanted:
            sys.exit(f"frame {frame.number} came after {last}, or is torn")
        last = frame.number


def hoard(variable: fastio.Variable) -> None:
    """Keep two frames for good."""
    frames = variable.frames(policy="drop_oldest")
    kept = [frames.next().array, frames.next().array]
    signal.pause()
    del kept


def main() -> None:
    """Play a role."""
    role, context = sys.argv[1:]
    variable = fastio.open_context(context)["frames"]
    if role == "producer":
        produce(variable)
    elif role == "steady":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # It ends with the stream.
        consume(variable, name="steady")
    elif role == "latest":
        consume(variable, policy="latest")
    elif role == "worker":
        consume(variable, share="workers")
    else:
        hoard(variable)


if __name__ == "__main__":
    main()
