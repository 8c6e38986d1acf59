# SPDX-License-Identifier: Apache-2.0
"""How long does it take to list 100,000 finished jobs, beside a bare stream of as many messages?"""

from __future__ import annotations

import contextlib

import pytest

from bench.harness.findings import Findings
from bench.platform.job_twins import Listings, bare, fill, ours

BARE = "bare grpc.aio"
OURS = "clara serve"


@pytest.mark.timeout(600)
def test_list(benchmark, measure, report, tmp_path):
    count = 1_000 if benchmark.disabled else 100_000
    fill(tmp_path / "ours", count)
    with contextlib.ExitStack() as stack:
        listings = Listings(stack.enter_context(ours(tmp_path / "ours")), count)
        listed = listings.first()
        twin = stack.enter_context(bare(tmp_path / "bare", listed=listed, count=count))
        twins = {BARE: Listings(twin, count), OURS: listings}
        twins[f"{BARE}, again"] = twins[BARE]
        turns = measure(twins, steps=1, rounds=10)
    findings = Findings(f"List {count} finished jobs by their state", turns, BARE, unit="ms")
    findings.at_most(f"time / {BARE}", 1.5, **findings.ratios(OURS, BARE))
    report(findings)
