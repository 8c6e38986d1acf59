# SPDX-License-Identifier: Apache-2.0
"""The other end of a `Worker` whose cases say themselves what they have cost."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def serve(case: Callable[[str, int], Mapping[str, Any]]) -> None:
    """Answer each line ``CASE STEPS`` with what a function gives: the fields of a `Sample`."""
    print("ready", flush=True)
    for line in sys.stdin:
        name, steps = line.split()
        print(json.dumps({"sleeps": 0, **case(name, int(steps))}), flush=True)


def timed(action: Callable[[], object], steps: int = 1) -> dict[str, int]:
    """Do something, and say what it has cost the host."""
    cpu, wall = time.process_time_ns(), time.monotonic_ns()
    action()
    wall, cpu = time.monotonic_ns() - wall, time.process_time_ns() - cpu
    return {"steps": steps, "wall_ns": wall, "cpu_ns": cpu}
