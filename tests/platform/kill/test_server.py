# SPDX-License-Identifier: Apache-2.0
"""The server is killed under load; what it has acknowledged is there when it comes back."""

from __future__ import annotations

import hashlib
import os
import random
import time
from pathlib import Path

import pytest

from clara_fastio.platform._proto import common_pb2, jobs_pb2, payloads_pb2, pipelines_pb2
from tests.platform.kill.load import Caller, Ledger
from tests.platform.serving import ServerProgram, Wire

CALLERS = 4
GONE_WITHIN = 2.0


def operators_of(jobs):
    """Find the processes that belong to some jobs."""
    found = []
    for place in Path("/proc").iterdir():
        if not place.name.isdigit() or int(place.name) == os.getpid():
            continue
        try:
            environment = set((place / "environ").read_bytes().split(b"\0"))
        except OSError:
            continue
        names = (b"NVIDIA_CLARA_JOBID=" + job.encode() for job in jobs)
        if not environment.isdisjoint(names):
            found.append(int(place.name))
    return found


def wait_until_gone(jobs):
    deadline = time.monotonic() + GONE_WITHIN
    while left := operators_of(jobs):
        assert time.monotonic() < deadline, f"alive after {GONE_WITHIN} s: {left}"
        time.sleep(0.02)


def check_pipelines(wire, ledger):
    there = {
        answer.details.pipeline_id.value: dict(answer.details.metadata)
        for answer in wire.Pipelines.List(pipelines_pb2.PipelinesListRequest())
        if answer.HasField("details")
    }
    for pipeline, metadata in ledger.pipelines.items():
        if pipeline in ledger.removed:
            assert pipeline not in there
        elif pipeline not in ledger.doubtful:
            assert metadata.items() <= there[pipeline].items()


def check_jobs(wire, ledger):
    for job in ledger.jobs:
        request = jobs_pb2.JobsStatusRequest(job_id=common_pb2.Identifier(value=job))
        status = wire.Jobs.Status(request)
        assert status.header.code == 0, list(status.header.messages)
        if job in ledger.stopped:
            assert (status.status, status.stopped.value) == ledger.stopped[job]
        if status.state == jobs_pb2.JOB_STATE_STOPPED:
            ledger.stopped[job] = (status.status, status.stopped.value)
            assert status.status in {jobs_pb2.JOB_STATUS_HEALTHY, jobs_pb2.JOB_STATUS_EVICTED}


def check_files(wire, ledger):
    for (payload, name), (acknowledged, begun) in ledger.files.items():
        parts = wire.Payloads.Download(
            payloads_pb2.PayloadsDownloadRequest(
                payload_id=common_pb2.Identifier(value=payload), name=f"/input/{name}"
            )
        )
        if acknowledged is None and parts[0].header.code == -5:
            continue
        assert parts[0].header.code == 0, list(parts[0].header.messages)
        digest = hashlib.sha256(b"".join(part.data for part in parts)).hexdigest()
        assert digest in begun, "half of a file, or somebody else's"


@pytest.mark.timeout(0)
def test_what_was_acknowledged_survives_every_kill(tmp_path, request):
    rounds = request.config.getoption("--server-kills")
    chance = random.Random(7)
    ledger = Ledger()
    everything = Ledger()
    for number in range(rounds):
        server = ServerProgram(tmp_path, "--allow-any-command", "--slots", "2")
        try:
            with server.connect() as channel:
                wire = Wire(channel)
                check_pipelines(wire, ledger)
                check_jobs(wire, ledger)
                check_files(wire, ledger)
            everything.acknowledged += ledger.acknowledged
            everything.jobs |= ledger.jobs
            everything.stopped |= ledger.stopped
            # Later rounds look at what this one does; what older ones did was seen to be there.
            ledger = Ledger(
                pipelines={
                    pipeline: metadata
                    for pipeline, metadata in ledger.pipelines.items()
                    if pipeline not in ledger.removed | ledger.doubtful
                }
            )
            callers = [Caller(server.address, ledger, 100 * number + i) for i in range(CALLERS)]
            for caller in callers:
                caller.start()
            time.sleep(chance.uniform(0.05, 0.8))
        finally:
            server.kill()
        for caller in callers:
            caller.join()
            if caller.failure:
                raise caller.failure
        wait_until_gone(ledger.jobs.keys() | everything.jobs.keys())
        ledger.pipelines = dict(list(ledger.pipelines.items())[-50:])
    server = ServerProgram(tmp_path, "--allow-any-command", "--slots", "2")
    try:
        with server.connect() as channel:
            wire = Wire(channel)
            check_pipelines(wire, ledger)
            check_jobs(wire, everything)
        assert list((tmp_path / "uploads").iterdir()) == []
    finally:
        server.kill()
    wait_until_gone(everything.jobs.keys())
    request.config.get_terminal_writer().line(
        f"\n{rounds} kills, {everything.acknowledged} acknowledged calls, "
        f"{len(everything.jobs)} jobs, {len(everything.stopped)} of them stopped"
    )
    assert everything.acknowledged > rounds
