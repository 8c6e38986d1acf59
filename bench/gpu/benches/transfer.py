# SPDX-License-Identifier: Apache-2.0
"""B6: How fast do copies between host and device run from pinned shared memory?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.gpu.session import GIB, MIB
from bench.harness.findings import Findings
from bench.harness.workers import Crew

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.gpu.session import Session

OURS, BEST, PLAIN = "pinned shared memory", "cuMemHostAlloc", "memory that is not pinned"
WAYS = {"in": "from the host to the device", "out": "from the device to the host"}


def measure(session: Session) -> Iterator[Findings]:
    """Copy the same bytes each way, by the device's own clock."""
    nbytes = 8 * MIB if session.is_smoke else 512 * MIB
    (worker,) = session.ready(session.start("transfer", session.context(), nbytes))
    for way, text in WAYS.items():
        cases = {BEST: "best", f"{BEST}, again": "best", OURS: "ours", PLAIN: "plain"}
        twins = {name: Crew([worker], f"{way}-{case}") for name, case in cases.items()}
        turns = session.measure(twins, steps=3, rounds=15)
        findings = Findings(f"{nbytes / GIB:g} GiB {text}", turns, BEST, unit="ms")
        findings.at_least(
            f"{way}: {BEST} / {OURS}", 0.98, wall=1 / findings.ratios(OURS, BEST)["wall"]
        )
        findings.at_least(f"{way}: {PLAIN} / {OURS}", 3, wall=findings.ratios(PLAIN, OURS)["wall"])
        for name in twins:
            findings.notes.append(f"{name}: {nbytes / turns.wall(name).median:.1f} GB/s.")
        yield findings
