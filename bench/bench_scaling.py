# SPDX-License-Identifier: Apache-2.0
"""Do processes that write different variables stay out of each other's way?

Four processes write four variables of one context, whose lock lines are neighbours; their twins
lock four mutexes that nobody else can see. Both share the same two processors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.harness.findings import Findings
from bench.harness.sampling import Spread
from bench.harness.workers import CPUS, Crew, OneByOne, compiled, interpreted

if TYPE_CHECKING:
    from bench.harness.sampling import Turns

MUTEX, VARIABLE = "mutex", "variable"
PROCESSES = 4
LANGUAGES = {"C++": compiled("bench_scaling"), "Python": interpreted("scaling")}


def names(what: str) -> tuple[str, str]:
    """Name what one process does at a time, and what four do."""
    return f"{what}, 1 process at a time", f"{what}, {PROCESSES} processes at once"


def gain(turns: Turns, what: str, *, of: str = "wall_ns") -> list[float]:
    """How many times the steps of one process four do in the same wall or processor time."""
    one, four = (turns.samples[name] for name in names(what))
    pairs = zip(one, four, strict=True)
    return [getattr(a, of) / a.steps / (getattr(b, of) / b.steps) for a, b in pairs]


def compared(turns: Turns, what: str, other: str, *, of: str = "wall_ns") -> float:
    """Compare two gains round by round."""
    pairs = zip(gain(turns, what, of=of), gain(turns, other, of=of), strict=True)
    return Spread.of([a / b for a, b in pairs]).median


@pytest.mark.parametrize("language", LANGUAGES)
def test_scaling(measure, report, crew, host, language):
    context = host.new()
    workers = crew(
        *((LANGUAGES[language], CPUS[i % 2], context, f"volume-{i}") for i in range(PROCESSES))
    )
    twins = {}
    for what, case in ((MUTEX, "mutex"), (f"{MUTEX} again", "mutex"), (VARIABLE, "variable")):
        one, four = names(what)
        twins[one] = OneByOne(workers, case)
        twins[four] = Crew(workers, case, PROCESSES)
    turns = measure(twins, block=0.1, rounds=20)
    findings = Findings(
        f"{PROCESSES} processes on {PROCESSES} variables, {language}", turns, names(MUTEX)[0]
    )
    findings.at_least(
        f"how {PROCESSES} processes scale, variables / mutexes",
        0.9,
        wall=compared(turns, VARIABLE, MUTEX),
        cpu=compared(turns, VARIABLE, MUTEX, of="cpu_ns"),
    )
    mutex, variable = (Spread.of(gain(turns, what)).median for what in (MUTEX, VARIABLE))
    again = [compared(turns, f"{MUTEX} again", MUTEX, of=of) for of in ("wall_ns", "cpu_ns")]
    findings.notes.append(
        f"{PROCESSES} processes at once do {mutex:.2f} times the steps of one with mutexes, "
        f"{variable:.2f} times with variables; they share {len(set(CPUS))} processors. A/A of the "
        f"ratio of both gains: {again[0]:.3f} by wall time, {again[1]:.3f} by CPU time."
    )
    report(findings)
