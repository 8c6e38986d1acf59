# SPDX-License-Identifier: Apache-2.0
"""Counts what was killed, and how soon the others went on."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Seconds after the kernel's report within which the survivors go on: what is promised.
LIMIT = 1.0


class Tally:
    """The figures of one run, for the end of its report."""

    def __init__(self) -> None:
        self.kills: Counter[str] = Counter()
        self.critical: Counter[str] = Counter()
        self.torn = 0
        self.frames = 0
        self.longest: dict[str, float] = {}

    def count(self, where: str, *, critical: bool, recovery: float, torn: int = 0) -> None:
        """Count one kill at a point or in a role.

        Parameters
        ----------
        where
            Name of the point, or ``"random: role"``.
        critical
            Whether the process was inside a critical section.
        recovery
            Seconds until all survivors had gone on.
        torn
            Contents that were found torn, and flagged.
        """
        self.kills[where] += 1
        self.critical[where] += critical
        self.torn += torn
        self.longest[where] = max(self.longest.get(where, 0.0), recovery)

    def lines(self) -> Iterator[str]:
        """Write a table."""
        yield f"{'killed at':32} {'kills':>6} {'critical':>9} {'longest recovery':>17}"
        for where in sorted(self.kills):
            yield self._line(where, self.kills[where], self.critical[where], self.longest[where])
        longest = max(self.longest.values(), default=0.0)
        yield self._line("all", self.kills.total(), self.critical.total(), longest)
        yield f"contents found torn, and flagged: {self.torn}"
        yield f"frames made: {self.frames}"

    @staticmethod
    def _line(where: str, kills: int, critical: int, longest: float) -> str:
        return f"{where:32} {kills:6} {critical:9} {longest * 1000:14.1f} ms"
