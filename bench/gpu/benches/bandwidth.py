# SPDX-License-Identifier: Apache-2.0
"""B5: How fast is memory of another process, beside memory of one's own?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.gpu.session import GIB, MIB
from bench.harness.findings import Findings
from bench.harness.workers import Crew

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.gpu.session import Session

OWN, OTHERS = "own memory", "another process's memory"


def measure(session: Session) -> Iterator[Findings]:
    """Read and copy the same number of bytes, by the device's own clock."""
    nbytes = 8 * MIB if session.is_smoke else 4 * GIB
    name = session.context()
    (maker,) = session.ready(session.start("bandwidth", "maker", name, nbytes))
    (reader,) = session.ready(session.start("bandwidth", "reader", name, nbytes))
    maker.pids  # noqa: B018 - it only has to live while the other reads
    for what, moved in (("read", nbytes), ("copy", 2 * nbytes)):
        cases = {OWN: f"{what}-own", f"{OWN}, again": f"{what}-own", OTHERS: f"{what}-others"}
        twins = {twin: Crew([reader], case) for twin, case in cases.items()}
        turns = session.measure(twins, steps=10, rounds=25)
        findings = Findings(f"{what} {nbytes / GIB:g} GiB on the device", turns, OWN, unit="ms")
        findings.at_least(
            f"{what}: {OWN} / {OTHERS}", 0.99, wall=1 / findings.ratios(OTHERS, OWN)["wall"]
        )
        for twin in twins:
            rate = moved / turns.wall(twin).median
            findings.notes.append(f"{twin}: {rate:,.0f} GB/s, bytes read and written counted.")
        yield findings
