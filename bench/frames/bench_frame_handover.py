# SPDX-License-Identifier: Apache-2.0
"""How long is the way of a frame to the next process in steady state, by us, by peers, at best?

A hop is half a round trip. Its producer takes the next slot, writes the first and the last byte and
sends; its consumer looks at both and gives the slot back: the size must not show.
"""

from __future__ import annotations

import os

import pytest

from bench.frames.conftest import SIZES
from bench.frames.supervised import OURS
from bench.harness.findings import Findings
from bench.harness.workers import CPUS, Crew, compiled

FUTEX = "bare futex, C++"
LINE = "bare cache line, C++"
HOPS_PER_ROUND_TRIP = 2

BLOCKING, SPINNING = (f"{OURS.title}, {variant}" for variant in ("blocking", "spinning"))
CPP_BLOCKING, CPP_SPINNING = (f"{name}, C++" for name in (BLOCKING, SPINNING))
#: Nanoseconds that a wait looks for its frame before it sleeps.
SPIN = {CPP_BLOCKING: 0, CPP_SPINNING: 20_000}

#: Pairs of processes where one may be lucky.
PAIRS = 4

#: Starting every peer takes longer than a test may.
pytestmark = pytest.mark.timeout(0)


@pytest.fixture
def bare_pair(crew):
    """Start two sides that share nothing but a piece of memory."""
    descriptors = []

    def start(program: str, nbytes: int) -> Crew:
        descriptor = os.memfd_create("bench")
        descriptors.append(descriptor)
        os.ftruncate(descriptor, 4096 + 2 * nbytes)
        sides = crew(
            *(
                (compiled(program), cpu, role, descriptor, nbytes)
                for cpu, role in zip(CPUS, ("ping", "pong"), strict=True)
            ),
            pass_fds=[descriptor],
        )
        Crew(sides, "touch").run(1)
        return Crew(sides, "hop", HOPS_PER_ROUND_TRIP)

    yield start
    for descriptor in descriptors:
        os.close(descriptor)


@pytest.fixture
def stream_pair(crew, host):
    """Start two sides that have streams in one context."""

    def start(nbytes: int, spin: int, name: str = "") -> Crew:
        name = name or host.new()
        sides = crew(
            *(
                (compiled("bench_handover_frames"), cpu, role, name, nbytes, spin)
                for cpu, role in zip(CPUS, ("ping", "pong"), strict=True)
            )
        )
        Crew(sides, "touch").run(16)
        return Crew(sides, "hop", HOPS_PER_ROUND_TRIP)

    return start


def test_handover(measure, report, bare_pair, stream_pair, handovers):
    """All sizes take their turns in the same rounds, so that they can be compared."""
    twins = {}
    for size, nbytes in SIZES.items():
        for name in (FUTEX, f"{FUTEX}, again"):
            twins[f"{name}, {size}"] = bare_pair("bench_handover_futex", nbytes)
        twins[f"{LINE}, {size}"] = bare_pair("bench_handover_spin", nbytes)
        for name, spin in SPIN.items():
            twins[f"{name}, {size}"] = stream_pair(nbytes, spin)
        for name, chain in handovers.items():
            twins[f"{name}, {size}"] = Crew([chain], f"step-{nbytes}", HOPS_PER_ROUND_TRIP)
    turns = measure(twins, block=0.01, rounds=40)
    for size in SIZES:
        names = [name for name in twins if name.endswith(f", {size}")]
        findings = Findings(
            f"Hand-over of a frame of {size}, one hop",
            turns,
            f"{FUTEX}, {size}",
            unit="us",
            absent=list(handovers.absent),
            names=names,
        )
        judge(findings, size, [n.removesuffix(f", {size}") for n in names if n in turns.twins])
        report(findings)


def test_crowd(measure, report, host, stream_pair):
    """A hundred thousand other variables in the context must not show."""
    alone, crowded = "two streams alone", "beside 100,000 variables"
    nbytes = SIZES["64 KiB"]
    twins = {}
    for i in range(PAIRS):
        for name, how in {alone: "add", crowded: "crowd"}.items():
            twins[f"{name}, {i}"] = stream_pair(nbytes, SPIN[CPP_SPINNING], host.new(how))
    turns = measure(twins, block=0.01, rounds=30)
    findings = Findings(
        "Hand-over of a frame beside other variables", turns, f"{alone}, 0", unit="us"
    )
    groups = ([f"{name}, {i}" for i in range(PAIRS)] for name in (crowded, alone))
    ratio = findings.ratios_of_groups(*groups)["cpu"]
    findings.at_most(f"{crowded} / {alone}, {PAIRS} pairs of each", 1.1, cpu=ratio)
    report(findings)


def judge(findings: Findings, size: str, present: list[str]) -> None:
    """State the goals of one size."""
    futex, line = f"{FUTEX}, {size}", f"{LINE}, {size}"
    for name in [name for name in (CPP_BLOCKING, BLOCKING) if name in present]:
        ours = f"{name}, {size}"
        findings.at_most(
            f"{ours} / {futex}",
            1.5,
            cpu=findings.ratios(ours, futex)["cpu"],
            **findings.calls(ours, futex),
        )
    for name in [name for name in (CPP_SPINNING, SPINNING) if name in present]:
        ours = f"{name}, {size}"
        findings.at_most(f"{ours} / {line}", 3, wall=findings.ratios(ours, line)["wall"])
        # Whoever is interrupted by a stranger on its processor is waited for asleep.
        findings.at_most(f"{ours}: system calls", 0.05, **findings.calls(ours))
    if SPINNING in present:
        ours = f"{SPINNING}, {size}"
        for peer in present:
            if not peer.startswith(("bare", OURS.title)):
                ratio = findings.ratios(f"{peer}, {size}", ours)["wall"]
                findings.at_least(f"{peer}, {size} / {ours}", 1, wall=ratio)
    smallest = next(iter(SIZES))
    for name in (BLOCKING, SPINNING, CPP_BLOCKING, CPP_SPINNING):
        if name in present and size != smallest:
            ratio = findings.ratios(f"{name}, {size}", f"{name}, {smallest}")["cpu"]
            findings.at_most(f"{name}: {size} / {smallest}", 1.1, cpu=ratio)
