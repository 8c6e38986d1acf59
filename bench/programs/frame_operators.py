# SPDX-License-Identifier: Apache-2.0
"""Three operators on frames that go nowhere.

Usage: python -m bench.programs.frame_operators CPU NBYTES
"""

from __future__ import annotations

import sys

import numpy as np

from bench.frames.work import FrameWork
from bench.harness.serving import pin, serve


def main() -> None:
    """Take orders."""
    cpu, nbytes = map(int, sys.argv[1:])
    pin(cpu)
    operators = [FrameWork(nbytes) for _ in range(3)]
    produced, filtered = np.empty(nbytes, np.uint8), np.empty(nbytes, np.uint8)
    number = 0

    def frames(steps: int) -> None:
        nonlocal number
        produce, between, reduce = operators
        for _ in range(steps):
            produce.produce(produced, number)
            between.filter(filtered, produced)
            reduce.reduce(filtered, number)
            number += 1

    serve({"frame": frames})


if __name__ == "__main__":
    main()
