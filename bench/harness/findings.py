# SPDX-License-Identifier: Apache-2.0
"""What a bench found: a table of twins and the goals, as JSON that `bench.report` renders."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.harness.sampling import Spread, Turns


@dataclass
class Findings:
    """A table of one run of turns.

    Parameters
    ----------
    title
        What is compared.
    turns
        The measured twins.
    reference
        The twin that the others are divided by.
    unit
        Of the times: ``ns``, ``us`` or ``ms``.
    absent
        What was to be compared and is not installed.
    """

    title: str
    turns: Turns
    reference: str
    unit: str = "ns"
    absent: list[str] = field(default_factory=list)
    goals: list[dict[str, Any]] = field(default_factory=list)

    def at_most(self, text: str, limit: float, wall: float, cpu: float | None = None) -> None:
        """State a goal that is met by being small, by wall time and by processor time."""
        self._goal(text, f"at most {limit:g}", wall, cpu, lambda found: found <= limit)

    def at_least(self, text: str, limit: float, wall: float, cpu: float | None = None) -> None:
        """State a goal that is met by being large."""
        self._goal(text, f"at least {limit:g}", wall, cpu, lambda found: found >= limit)

    def ratio_at_most(self, text: str, limit: float, name: str, other: str) -> None:
        """State how many times the other twin's time a twin may take."""
        wall, cpu = self._ratios(name, other)
        self.at_most(text, limit, wall, cpu)

    def ratio_at_least(self, text: str, limit: float, name: str, other: str) -> None:
        """State how many times the other twin's time a twin has to take."""
        wall, cpu = self._ratios(name, other)
        self.at_least(text, limit, wall, cpu)

    def system_calls_at_most(self, text: str, limit: float, name: str) -> None:
        """State how many system calls a step may make; nothing where they cannot be counted."""
        found = self.turns.system_calls.get(name)
        if found is not None:
            # A stray call of the interpreter or of a watching thread is none of the step's.
            self.at_most(text, limit, round(found, 2))

    def as_json(self) -> dict[str, Any]:
        """Everything that was found."""
        return {
            "title": self.title,
            "unit": self.unit,
            "reference": self.reference,
            "rounds": len(next(iter(self.turns.samples.values()))),
            "rows": [self._row(name) for name in self.turns.twins],
            "absent": self.absent,
            "goals": self.goals,
        }

    def _ratios(self, name: str, other: str) -> tuple[float, float]:
        wall = self.turns.ratio(name, other).median
        return wall, self.turns.ratio(name, other, of="cpu_ns").median

    def _goal(self, text, limit, wall, cpu, is_met) -> None:
        found = [wall] if cpu is None else [wall, cpu]
        self.goals.append(
            {
                "text": text,
                "limit": limit,
                "wall": wall,
                "cpu": cpu,
                "is_met": all(is_met(value) for value in found),
            }
        )

    def _row(self, name: str) -> dict[str, Any]:
        turns = self.turns
        return {
            "name": name,
            "wall_ns": _rounded(turns.wall(name)),
            "cpu_ns": _rounded(turns.cpu(name)),
            "sleeps": turns.sleeps(name),
            "system_calls": turns.system_calls.get(name),
            "wall_ratio": _rounded(turns.ratio(name, self.reference)),
            "cpu_ratio": _rounded(turns.ratio(name, self.reference, of="cpu_ns")),
        }


def _rounded(spread: Spread) -> list[float]:
    return [float(f"{value:.4g}") for value in spread]
