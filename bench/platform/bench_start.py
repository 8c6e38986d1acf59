# SPDX-License-Identifier: Apache-2.0
"""How much later does an operator come to its own code than its program when started by hand?

From the call that starts the job to the first line of the operator. The processor time is the
server's own; by hand it is the program's.
"""

from __future__ import annotations

import pytest

from bench.harness.findings import Findings
from bench.platform.job_twins import ByHand, Jobs, ours

HAND = "by hand"
OURS = "clara serve"


@pytest.mark.timeout(300)
def test_start(measure, report, tmp_path):
    with ours(tmp_path / "ours") as served:
        turns = measure({HAND: ByHand(), OURS: Jobs(served)}, steps=1, rounds=30)
    findings = Findings("From Start to the operator's own code", turns, HAND, unit="ms")
    later = turns.difference(OURS, HAND).median / 1e9
    findings.at_most("seconds later", 0.3, wall=later)
    report(findings)
