# SPDX-License-Identifier: Apache-2.0
"""What does a hop of a small frame through operators in Python cost beside the operators' own code?

Frames of 64 KiB go through three processes and none is lost. What the operators' own code takes
there is clocked in turns of their own, for on frames that come from another processor it takes
longer than alone in one process, on memory that stays in its cache; that row stands beside it.
"""

from __future__ import annotations

import pytest

from bench.frames.conftest import KIB64
from bench.frames.plan import DEPTH
from bench.frames.supervised import OURS
from bench.harness.findings import Findings
from bench.harness.workers import CPUS, Crew, compiled, interpreted

USER = "the operators alone, Python"
OWN = "the operators' own code"
THREADS = "three threads of one process, C++"
HOPS = 2

#: Starting every peer takes longer than a test may.
pytestmark = pytest.mark.timeout(0)


def test_small(measure, report, crew, pipelines):
    twins = {}
    for name in (USER, f"{USER}, again"):
        twins[name] = Crew(crew((interpreted("frame_operators"), CPUS[0], KIB64)), "frame")
    places = (CPUS[0], CPUS[1], CPUS[0])
    threads = (compiled("bench_frame_pipeline"), *places, KIB64, DEPTH)
    twins[THREADS] = Crew(crew(threads), "frame")
    for name in pipelines.firsts():
        chain = pipelines[name]
        twins[name] = Crew([chain], f"step-{KIB64}")
        if name.startswith(OURS.title):
            twins[f"{name}: {OWN}"] = Crew([chain], f"clock-{KIB64}")
    turns = measure(twins, block=0.02, rounds=40)
    findings = Findings(
        "A frame of 64 KiB through three operators in Python",
        turns,
        USER,
        unit="us",
        absent=list(pipelines.absent),
    )
    for name in pipelines.firsts():
        if name not in turns.twins or not name.startswith(OURS.title):
            continue
        own = f"{name}: {OWN}"
        above = turns.difference(name, own, of="cpu_ns").median / HOPS / 1e3
        share = 1 / turns.ratio(name, own, of="cpu_ns").median
        findings.notes.append(
            f"{name}: {share:.0%} of the CPU time is the operators' own code, "
            f"the rest is {above:.1f} us per hop."
        )
        text = f"{name}: microseconds of CPU time per hop beside the operators"
        findings.at_most(text, 15, cpu=above)
    report(findings)
