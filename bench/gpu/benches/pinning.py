# SPDX-License-Identifier: Apache-2.0
"""B7: How long does it take to pin shared memory, and is it done once only?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.gpu.session import MIB
from bench.harness.findings import Findings
from bench.harness.workers import Crew

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.gpu.session import Session

OURS, PLAIN, BEST = "first map, pinned", "first map, not pinned", "cuMemHostAlloc"


def measure(session: Session) -> Iterator[Findings]:
    """Make new memory each time; then map the same one again and again."""
    nbytes = 4 * MIB if session.is_smoke else 512 * MIB
    (worker,) = session.ready(session.start("pinning", session.context(), nbytes))
    cases = {BEST: "best", f"{BEST}, again": "best", OURS: "pinned", PLAIN: "plain"}
    twins = {name: Crew([worker], case) for name, case in cases.items()}
    turns = session.measure(twins, steps=1, rounds=10)
    findings = Findings(f"Pin {nbytes // MIB} MiB", turns, BEST, unit="ms")
    findings.at_most(f"{OURS} / {BEST}", 0.25, wall=findings.ratios(OURS, BEST)["wall"])
    findings.notes.append("The first map of a pinned variable maps, touches and registers it.")
    yield findings

    later = {
        "not pinned": "again-plain",
        "not pinned, again": "again-plain",
        "pinned": "again-pinned",
    }
    twins = {name: Crew([worker], case) for name, case in later.items()}
    turns = session.measure(twins, steps=1000, rounds=20)
    findings = Findings("Later maps of pinned memory", turns, "not pinned", unit="us")
    ratio = findings.ratios("pinned", "not pinned")["wall"]
    findings.at_most("pinned / not pinned: nothing is registered again", 1.1, wall=ratio)
    yield findings
