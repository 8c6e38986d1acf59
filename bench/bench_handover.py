# SPDX-License-Identifier: Apache-2.0
"""How long is the way of a content to a process that sleeps until it comes, and what does it cost?

A hop is half a round trip between two processes. Its producer writes the first and the last byte,
its consumer looks at them: nobody copies, so the size of the content must not show.
"""

from __future__ import annotations

import os

import pytest

from bench.harness.findings import Findings
from bench.harness.workers import CPUS, Crew, compiled, interpreted

FUTEX = "bare futex, C++"
CPP = "clara_fastio, C++"
PYTHON = "clara_fastio, Python"

SIZES = {"64 B": 64, "1 MiB": 1 << 20, "64 MiB": 64 << 20}
PLACES = {"on two processors": CPUS, "on one processor": (CPUS[0], CPUS[0])}

HOPS_PER_ROUND_TRIP = 2


@pytest.fixture
def pair(crew):
    """Start two sides of a hand-over that have both touched the whole memory."""

    def start(program, place, where, nbytes, pass_fds=()) -> Crew:
        sides = crew(
            *(
                (program, cpu, role, where, nbytes)
                for cpu, role in zip(place, ("ping", "pong"), strict=True)
            ),
            pass_fds=pass_fds,
        )
        Crew(sides, "touch").run(1)
        return Crew(sides, "hop", HOPS_PER_ROUND_TRIP)

    return start


@pytest.fixture
def futex_pair(pair):
    """Start two sides that share nothing but a piece of memory."""
    descriptors = []

    def start(place, nbytes) -> Crew:
        descriptors.append(os.memfd_create("bench"))
        os.ftruncate(descriptors[-1], 4096 + 2 * nbytes)
        return pair(
            compiled("bench_handover_futex"), place, descriptors[-1], nbytes, descriptors[-1:]
        )

    yield start
    for descriptor in descriptors:
        os.close(descriptor)


@pytest.mark.parametrize("place", PLACES)
def test_handover(measure, report, host, pair, futex_pair, place):
    """All sizes take their turns in the same rounds, so that they can be compared."""
    twins = {}
    cpus = PLACES[place]
    for size, nbytes in SIZES.items():
        twins[f"{FUTEX}, {size}"] = futex_pair(cpus, nbytes)
        twins[f"{CPP}, {size}"] = pair(compiled("bench_handover"), cpus, host.new(), nbytes)
        twins[f"{PYTHON}, {size}"] = pair(interpreted("handover"), cpus, host.new(), nbytes)
    smallest, *_, largest = SIZES
    twins[f"{FUTEX}, {smallest}, again"] = futex_pair(cpus, SIZES[smallest])
    turns = measure(twins, block=0.02, rounds=40)
    findings = Findings(f"Hand-over, one hop, {place}", turns, f"{FUTEX}, {smallest}", unit="us")
    # With no wake-up of another processor in it, a hop in Python is the interpreter's time.
    judged = (CPP, PYTHON) if len(set(cpus)) > 1 else (CPP,)
    for ours in judged:
        for size in SIZES:
            name, limit = f"{ours}, {size}", f"{FUTEX}, {size}"
            cpu = findings.ratios(name, limit)["cpu"]
            findings.at_most(f"{name} / {limit}", 1.5, cpu=cpu, **findings.calls(name, limit))
        cpu = findings.ratios(f"{ours}, {largest}", f"{ours}, {smallest}")["cpu"]
        findings.at_most(f"{ours}: {largest} / {smallest}", 1.1, cpu=cpu)
    report(findings)
