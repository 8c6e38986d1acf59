# SPDX-License-Identifier: Apache-2.0
"""How many frames a second go through three processes, and what does a frame cost, next to threads?

Frames of 2048 x 2048 pixels of 16 bits are produced, filtered and reduced; the twin is one process
in C++ whose three threads do the same work, with the same machine code, on a ring of as many slots.
"""

from __future__ import annotations

import statistics

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
    bare = [THREADS, f"{THREADS}, again", f"{THREADS} (3)"]
    twins = {name: Crew(crew(threads), "frame") for name in bare}
    alone = crew((compiled("bench_frame_work"), CPUS[0], MIB8))
    twins[AT_ONCE] = Crew(alone, "frame")
    for name, case in STEPS.items():
        twins[f"one thread, C++: {name}"] = Crew(alone, case)
    for name, chain in pipelines.items():
        twins[name] = Crew([chain], f"step-{MIB8}")
    turns = measure(twins, block=0.05, rounds=20)
    findings = Findings(
        "A frame of 8 MiB through three processes",
        turns,
        THREADS,
        unit="us",
        absent=list(pipelines.absent),
    )
    groups = {
        first: [name for name in pipelines.copies(first) if name in turns.twins]
        for first in pipelines.firsts()
    }
    ours = {name: group for name, group in groups.items() if name.startswith(OURS.title)}
    for name, group in ours.items():
        cpu = findings.ratios_of_groups(group, bare)["cpu"]
        findings.at_most(f"CPU time for a frame, {name} / {THREADS}", 1.05, cpu=cpu)
    for name, group in ours.items():
        for peer, others in groups.items():
            if others and peer not in ours:
                wall = findings.ratios_of_groups(others, group)["wall"]
                findings.at_least(f"frames a second, {name} / {peer}", 1, wall=wall)
    for name, group in {THREADS: bare, **groups}.items():
        if group:
            wall = statistics.median(turns.wall(one).median for one in group)
            findings.notes.append(f"{name}: {1e9 / wall:,.0f} frames a second.")
    report(findings)
