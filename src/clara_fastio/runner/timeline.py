# SPDX-License-Identifier: Apache-2.0
"""When an operator entered which state."""

from __future__ import annotations

import time

from clara_fastio.runner.result import OperatorState

_ENDS = {
    OperatorState.COMPLETED,
    OperatorState.FAILED,
    OperatorState.STOPPED,
    OperatorState.SKIPPED,
}


class Timeline:
    """The states of one operator in order; times are seconds of the monotonic clock."""

    def __init__(self) -> None:
        self._entered: list[tuple[OperatorState, float]] = []

    def enter(self, state: OperatorState, at: float | None = None) -> None:
        """Note that a state begins now, or at a time that its driver gives."""
        now = time.monotonic()
        at = now if at is None else min(at, now)
        if self._entered:
            at = max(at, self._entered[-1][1])
        self._entered.append((state, at))

    def begin_with_driver(self) -> None:
        """Call what went before the driver's greeting the start of the process."""
        self._entered = [(OperatorState.STARTING, at) for _, at in self._entered]

    def seconds(self, *states: OperatorState) -> float | None:
        """Add up the time spent in some states; ``None`` if none of them was entered."""
        found = None
        ends = [at for _, at in self._entered[1:]] + [time.monotonic()]
        for (state, begin), end in zip(self._entered, ends, strict=False):
            if state in states and state not in _ENDS:
                found = (found or 0.0) + end - begin
        return found
