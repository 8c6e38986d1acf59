# SPDX-License-Identifier: Apache-2.0
"""How long an operator works, in figures that other processes can compare with their own."""

from __future__ import annotations

import time


class Stopwatch:
    """Runs from the moment it is made."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._processing = time.process_time()

    def read(self) -> tuple[float, float, float]:
        """Return start and end on the machine's monotonic clock, and processor seconds between."""
        return self._start, time.monotonic(), time.process_time() - self._processing
