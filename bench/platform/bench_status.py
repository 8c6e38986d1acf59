# SPDX-License-Identifier: Apache-2.0
"""How many status calls are answered, with 200 clients that poll, beside a bare grpc.aio echo?

The twin gives the same message of a finished job. Both servers and the client, which is the same
for both, share the two processors.
"""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from bench.harness.findings import Findings
from bench.platform.job_twins import Pollers, bare, call, new_pipeline, ours, run_job
from clara_fastio.platform._proto import jobs_pb2

BARE = "bare grpc.aio"
OURS = "clara serve"
CLIENTS = 200


@pytest.mark.timeout(300)
def test_status(measure, report, tmp_path):
    with contextlib.ExitStack() as stack:
        served = stack.enter_context(ours(tmp_path / "ours"))
        job_id, _ = run_job(served.channel, new_pipeline(served.channel))
        request = jobs_pb2.JobsStatusRequest(job_id={"value": job_id})
        status = call(served.channel, "Jobs", "Status", request).SerializeToString()
        twin = stack.enter_context(bare(tmp_path / "bare", status=status))
        loop = asyncio.new_event_loop()
        stack.callback(loop.close)
        twins = {
            name: Pollers(server, job_id, CLIENTS, loop)
            for name, server in ((BARE, twin), (OURS, served))
        }
        for pollers in twins.values():
            stack.callback(pollers.close)
        turns = measure({**twins, f"{BARE}, again": twins[BARE]}, steps=40, rounds=20)
    findings = Findings(f"Status for each of {CLIENTS} clients", turns, BARE, unit="ms")
    findings.at_least(f"calls per second / {BARE}", 0.6, wall=turns.ratio(BARE, OURS).median)
    report(findings)
