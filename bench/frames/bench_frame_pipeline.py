# SPDX-License-Identifier: Apache-2.0
"""How many frames a second go through three processes, and what does a frame cost, next to threads?

Frames of 2048 x 2048 pixels of 16 bits are produced, filtered and reduced; the twin is one process
in C++ whose three threads do the same work, with the same machine code, on a ring of as many slots.
"""

from __future__ import annotations

import pytest

from bench.frames.conftest import MIB8
from bench.frames.plan import DEPTH
from bench.frames.supervised import OURS
from bench.harness.findings import Findings
from bench.harness.workers import CPUS, Crew, compiled

THREADS = "three threads of one process, C++"
AT_ONCE = "one thread, C++: all three operators"
STEPS = {"produce (memcpy)": "produce", "filter": "filter", "reduce": "reduce"}

#: Starting every peer takes longer than a test may.
pytestmark = pytest.mark.timeout(0)


def test_pipeline(measure, report, crew, pipelines):
    places = (CPUS[0], CPUS[1], CPUS[0])
    threads = (compiled("bench_frame_pipeline"), *places, MIB8, DEPTH)
    twins = {name: Crew(crew(threads), "frame") for name in (THREADS, f"{THREADS}, again")}
    alone = crew((compiled("bench_frame_work"), CPUS[0], MIB8))
    twins[AT_ONCE] = Crew(alone, "frame")
    for name, case in STEPS.items():
        twins[f"one thread, C++: {name}"] = Crew(alone, case)
    for name, chain in pipelines.items():
        twins[name] = Crew([chain], f"step-{MIB8}")
    turns = measure(twins, block=0.05, rounds=30)
    findings = Findings(
        "A frame of 8 MiB through three processes",
        turns,
        THREADS,
        unit="us",
        absent=list(pipelines.absent),
    )
    ours = [name for name in pipelines.of(OURS.title) if name in turns.twins]
    for name in ours:
        cpu = findings.ratios(name, THREADS)["cpu"]
        findings.at_most(f"CPU time for a frame, {name} / {THREADS}", 1.05, cpu=cpu)
    for name in ours[:1]:
        for peer in pipelines:
            if peer in turns.twins and not peer.startswith(OURS.title):
                wall = findings.ratios(peer, name)["wall"]
                findings.at_least(f"frames a second, {name} / {peer}", 1, wall=wall)
    for name in turns.twins:
        if name in (THREADS, *pipelines):
            findings.notes.append(f"{name}: {1e9 / turns.wall(name).median:,.0f} frames a second.")
    report(findings)
