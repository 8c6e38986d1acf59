# SPDX-License-Identifier: Apache-2.0
"""What a bench found: a table of twins and the goals, as JSON that `bench.report` renders."""

from __future__ import annotations

import statistics
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
        What was to be compared and is not there, with the reason.
    names
        The twins of this table, where the turns have more.
    """

    title: str
    turns: Turns
    reference: str
    unit: str = "ns"
    absent: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    goals: list[dict[str, Any]] = field(default_factory=list)
    names: list[str] | None = None

    def at_most(self, text: str, limit: float, **found: float) -> None:
        """State a goal that is met when every measure of it is small enough."""
        self._state(text, f"≤ {limit:g}", found, {name: v <= limit for name, v in found.items()})

    def at_least(self, text: str, limit: float, **found: float) -> None:
        """State a goal that is met when every measure of it is large enough."""
        self._state(text, f"≥ {limit:g}", found, {name: v >= limit for name, v in found.items()})

    def ratios(self, name: str, other: str) -> dict[str, float]:
        """Divide a twin's times by another's."""
        return {
            "wall": self.turns.ratio(name, other).median,
            "cpu": self.turns.ratio(name, other, of="cpu_ns").median,
        }

    def ratios_of_groups(self, names: list[str], others: list[str]) -> dict[str, float]:
        """Divide the times of twins that do the same by those of others that do.

        Where its memory happens to lie makes a process faster or slower for all its life, often by
        more than is looked for. Each is compared with each, and the median is taken.
        """
        pairs = [self.ratios(name, other) for name in names for other in others]
        return {of: statistics.median(pair[of] for pair in pairs) for of in ("wall", "cpu")}

    def differences(self, name: str, other: str) -> dict[str, float]:
        """Subtract another twin's nanoseconds from a twin's."""
        return {
            "wall": self.turns.difference(name, other).median,
            "cpu": self.turns.difference(name, other, of="cpu_ns").median,
        }

    def calls(self, name: str, other: str = "") -> dict[str, float]:
        """Give the system calls of a step, or divide them; nothing where they are not counted."""
        found = self.turns.system_calls[name]
        divisor = self.turns.system_calls[other] if other else 1
        if found is None or divisor is None:
            return {}
        # A stray call of the interpreter or of a watching thread is none of the step's.
        return {"calls": round(found / max(divisor, 1e-9), 2)}

    def as_json(self) -> dict[str, Any]:
        """Everything that was found."""
        return {
            "title": self.title,
            "unit": self.unit,
            "reference": self.reference,
            "rounds": len(self.turns.samples[self.reference]),
            "rows": [self._row(name) for name in self._present()],
            "absent": [*self.absent, *self._ended()],
            "notes": self.notes,
            "goals": self.goals,
        }

    def _present(self) -> list[str]:
        return [name for name in self.turns.twins if self.names is None or name in self.names]

    def _ended(self) -> list[str]:
        ended = self.turns.ended.items()
        return [f"{name} ({why})" for name, why in ended if not self.names or name in self.names]

    def _state(
        self, text: str, limit: str, found: dict[str, float], verdicts: dict[str, bool]
    ) -> None:
        is_met = all(verdicts.values()) if verdicts else None
        rounded = {name: float(f"{value:.4g}") for name, value in found.items()}
        self.goals.append({"text": text, "limit": limit, "found": rounded, "is_met": is_met})

    def _row(self, name: str) -> dict[str, Any]:
        turns = self.turns
        return {
            "name": name,
            "wall_ns": _rounded(turns.wall(name)),
            "wall_p99_ns": float(f"{turns.p99(name):.4g}"),
            "cpu_ns": _rounded(turns.cpu(name)),
            "sleeps": turns.sleeps(name),
            "system_calls": turns.system_calls[name],
            "wall_ratio": _rounded(turns.ratio(name, self.reference)),
            "cpu_ratio": _rounded(turns.ratio(name, self.reference, of="cpu_ns")),
        }


def _rounded(spread: Spread) -> list[float]:
    return [float(f"{value:.4g}") for value in spread]
