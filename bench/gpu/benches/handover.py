# SPDX-License-Identifier: Apache-2.0
"""B1: What does it cost to hand device memory to a process that sleeps until it comes?

The twin is a futex ping-pong that makes the two driver calls without which there is no order: one
stream writes a word, the other's waits for it. Nobody computes anything.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from bench.gpu.session import GIB, KIB, MIB, PROCESSORS
from bench.harness.findings import Findings
from bench.harness.workers import Crew

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.gpu.session import Session

TWIN = "bare futex + 2 driver calls, C++"
CPP = "clara_fastio, C++"
PYTHON = "clara_fastio, Python"
OURS = {CPP: "handover_cpp", PYTHON: "handover"}
HOPS_PER_ROUND_TRIP = 2
SMALL = "4 KiB"


def pair(session: Session, program: str, where: object, nbytes: int, **options: object) -> Crew:
    """Start both sides, and let each open what the other has made."""
    sides = [
        session.start(program, cpu, role, where, nbytes, **options)
        for cpu, role in zip(PROCESSORS, ("ping", "pong"), strict=False)
    ]
    session.ready(*sides)
    Crew(sides, "touch").run(1)
    return Crew(sides, "hop", HOPS_PER_ROUND_TRIP)


def bare_twins(session: Session) -> dict[str, Crew]:
    """Start the twin, twice."""
    twins = {}
    for name in (TWIN, f"{TWIN}, again"):
        if session.has_twin("futex_driver_cpp"):
            descriptor = os.memfd_create("bench")
            os.ftruncate(descriptor, 1 << 16)
            twins[name] = pair(session, "futex_driver_cpp", descriptor, 0, pass_fds=[descriptor])
    return twins


def measure(session: Session) -> Iterator[Findings]:
    """Measure all sizes in the same rounds, so that they can be compared."""
    sizes = {SMALL: 4 * KIB, "4 GiB": 4 * GIB}
    if session.is_smoke:
        sizes["4 GiB"] = 4 * MIB
    twins = bare_twins(session)
    absent = []
    for name, program in OURS.items():
        if program.endswith("_cpp") and not session.has_twin(program):
            absent.append(f"{name} (it was not built)")
            continue
        for size, nbytes in sizes.items():
            twins[f"{name}, {size}"] = pair(session, program, session.context(), nbytes)
    turns = session.measure(twins, block=0.02, rounds=60)
    findings = Findings(
        "Hand-over of device memory, one hop",
        turns,
        TWIN if TWIN in twins else f"{PYTHON}, {SMALL}",
        unit="us",
        absent=absent,
    )
    judge(findings, twins, list(sizes))
    yield findings


def judge(findings: Findings, twins: dict[str, Crew], sizes: list[str]) -> None:
    """State the goals."""
    for name in OURS:
        small, large = (f"{name}, {size}" for size in sizes)
        if TWIN in twins and small in twins:
            for ours in (small, large):
                findings.at_most(f"{ours} / {TWIN}", 1.5, **findings.ratios(ours, TWIN))
        if small in twins:
            cpu = findings.ratios(large, small)["cpu"]
            findings.at_most(f"{name}: 4 GiB / {SMALL}", 1.1, cpu=cpu)
