# SPDX-License-Identifier: Apache-2.0
"""How fast does a file leave a payload, beside a bare grpc.aio stream that reads it?"""

from __future__ import annotations

import contextlib

import pytest

from bench.harness.findings import Findings
from bench.platform.payload_twins import Downloads, bare, new_payload, ours

BARE = "bare grpc.aio"
OURS = "clara serve"
SIZES = {"64 KiB": 64 << 10, "128 MiB": 128 << 20}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("size", SIZES)
def test_download(benchmark, measure, report, tmp_path, size):
    nbytes = 4 << 20 if benchmark.disabled else SIZES[size]
    with contextlib.ExitStack() as stack:
        servers = {
            BARE: stack.enter_context(bare(tmp_path / "bare")),
            OURS: stack.enter_context(ours(tmp_path / "ours")),
        }
        payload_id = new_payload(servers[OURS][1])
        twins = {
            name: Downloads(server, payload_id, nbytes=nbytes, chunk=min(nbytes, 1 << 20))
            for name, server in servers.items()
        }
        for twin in twins.values():
            twin.upload()
        twins[f"{BARE}, again"] = twins[BARE]
        turns = measure(twins, steps=max(1, (16 << 20) // nbytes), rounds=20)
    findings = Findings(f"Download {size}", turns, BARE, unit="ms")
    if size == "128 MiB":  # Of a small file, the way to a thread is the larger part.
        speed = turns.ratio(BARE, OURS).median
        findings.at_least(f"{size}: speed / {BARE}", 0.8, wall=speed)
    report(findings)
