# SPDX-License-Identifier: Apache-2.0
"""The other end of a `Worker`, for programs in Python; `cpp/bench/serve.hpp` is its twin."""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from resource import RUSAGE_SELF, getrusage
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def pin(cpu: int) -> None:
    """Keep this process on one processor; -1 leaves it free."""
    if cpu >= 0:
        os.sched_setaffinity(0, {cpu})


def serve(cases: Mapping[str, Callable[[int], object]]) -> None:
    """Do cases for a number of steps, as lines of standard input say, until it ends."""
    gc.disable()
    print("ready", flush=True)
    for line in sys.stdin:
        name, steps = line.split()
        case, number = cases[name], int(steps)
        sleeps = getrusage(RUSAGE_SELF).ru_nvcsw
        cpu = time.process_time_ns()
        wall = time.monotonic_ns()
        case(number)
        wall_ns = time.monotonic_ns() - wall
        cpu_ns = time.process_time_ns() - cpu
        sleeps = getrusage(RUSAGE_SELF).ru_nvcsw - sleeps
        print(
            json.dumps({"steps": number, "wall_ns": wall_ns, "cpu_ns": cpu_ns, "sleeps": sleeps}),
            flush=True,
        )
