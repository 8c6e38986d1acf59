# SPDX-License-Identifier: Apache-2.0
"""How fast does a file come into a payload, beside a bare grpc.aio stream that writes it?

The twin writes in the loop and forgets the rest: no records, limits, names, other calls. Ours
brings each file to the disk before it answers; a second twin does that too.
"""

from __future__ import annotations

import contextlib

import pytest

from bench.harness.findings import Findings
from bench.platform.payload_twins import Uploads, bare, new_payload, ours

BARE = "bare grpc.aio"
SYNCED = "bare grpc.aio + fdatasync"
OURS = "clara serve"
CHUNKS = {"64 KiB": 64 << 10, "1 MiB": 1 << 20, "4 MiB": 4 << 20}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("chunk", CHUNKS)
def test_upload(benchmark, measure, report, tmp_path, chunk):
    nbytes = 4 << 20 if benchmark.disabled else 128 << 20
    with contextlib.ExitStack() as stack:
        servers = {
            BARE: stack.enter_context(bare(tmp_path / "bare")),
            SYNCED: stack.enter_context(bare(tmp_path / "synced", "synced")),
            OURS: stack.enter_context(ours(tmp_path / "ours")),
        }
        payload_id = new_payload(servers[OURS][1])
        twins = {
            name: Uploads(server, payload_id, nbytes=nbytes, chunk=CHUNKS[chunk])
            for name, server in servers.items()
        }
        twins[f"{BARE}, again"] = twins[BARE]
        turns = measure(twins, steps=1, rounds=20)
    findings = Findings(f"Upload 128 MiB in messages of {chunk}", turns, BARE, unit="ms")
    for twin in (BARE, SYNCED):
        speed = turns.ratio(twin, OURS).median
        findings.at_least(f"{chunk}: speed / {twin}", 0.8, wall=speed)
    report(findings)
