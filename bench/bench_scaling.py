# SPDX-License-Identifier: Apache-2.0
"""Do processes that write different variables stay out of each other's way?

Four processes write four variables of one context, whose lock lines are neighbours; their twins
lock four mutexes that nobody else can see. Both share the same two processors.
"""

from __future__ import annotations

import pytest

from bench.harness.findings import Findings
from bench.harness.sampling import Spread
from bench.harness.workers import CPUS, Crew, compiled, interpreted

PROCESSES = 4
LANGUAGES = {"C++": compiled("bench_scaling"), "Python": interpreted("scaling")}


def names(what: str) -> tuple[str, str]:
    """Name what one process does, and what four do."""
    return f"{what}, 1 process", f"{what}, {PROCESSES} processes"


def gain(turns, what: str) -> list[float]:
    """How many times the steps of one process four processes do in the same time, per round."""
    one, four = (turns.samples[name] for name in names(what))
    return [a.wall_ns / a.steps / (b.wall_ns / b.steps) for a, b in zip(one, four, strict=True)]


def median_ratio(gains: list[float], others: list[float]) -> float:
    """Compare two gains round by round."""
    return Spread.of([a / b for a, b in zip(gains, others, strict=True)]).median


@pytest.mark.parametrize("language", LANGUAGES)
def test_scaling(measure, report, crew, host, language):
    (context,) = host(1)
    workers = crew(
        *((LANGUAGES[language], CPUS[i % 2], context, f"volume-{i}") for i in range(PROCESSES))
    )
    twins = {}
    for what, case in (("mutex", "mutex"), ("mutex again", "mutex"), ("variable", "variable")):
        one, four = names(what)
        twins[one] = Crew(workers[:1], case)
        twins[four] = Crew(workers, case, PROCESSES)
    turns = measure(twins, block=0.1, rounds=20)
    findings = Findings(
        f"{PROCESSES} processes on {PROCESSES} variables, {language}", turns, names("mutex")[0]
    )
    mutex, again, variable = (gain(turns, what) for what in ("mutex", "mutex again", "variable"))
    findings.at_least(
        "variables / mutexes: how four processes scale", 0.9, wall=median_ratio(variable, mutex)
    )
    findings.notes = [
        f"{PROCESSES} processes together do {Spread.of(mutex).median:.2f} times the steps of one "
        f"with mutexes, {Spread.of(variable).median:.2f} times with variables.",
        f"A/A of that: mutexes again / mutexes {median_ratio(again, mutex):.3f}.",
    ]
    report(findings)
