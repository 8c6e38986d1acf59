# SPDX-License-Identifier: Apache-2.0
"""A program with the clients of a server that a strict type checker accepts."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

from clara_fastio.platform import (
    AsyncClient,
    Client,
    Existing,
    Job,
    JobFilter,
    JobInfo,
    JobPriority,
    JobState,
    JobStatus,
    JobToken,
    NewJob,
    PayloadInfo,
    PipelineInfo,
    Progress,
    ServerVersion,
    Tls,
    Transfer,
)


def show(progress: Progress) -> None:
    assert_type(progress.nbytes / progress.total_nbytes, float)


def in_turn() -> None:
    with Client("example.org:30031", token="secret", tls=Tls(), timeout=None) as client:
        assert_type(client.address, str)
        pipeline = client.pipelines.create(Path("pipeline.yaml"), metadata={"site": "a"})
        assert_type(pipeline, str)
        assert_type(client.pipelines.list(), list[PipelineInfo])
        job = client.jobs.create(
            pipeline, "night", priority=JobPriority.HIGHER, input_payloads=["0" * 32]
        )
        assert_type(job, NewJob)
        moved = client.payloads.upload(
            job.payload_id, Path("scans"), existing=Existing.RESUME, progress=show
        )
        assert_type(moved, Transfer)
        assert_type(client.jobs.start(job.id, {"WORD": "hello"}), JobToken)
        for seen in client.jobs.watch(job.id):
            assert_type(seen, Job)
            assert_type(seen.state, JobState)
        ended = client.jobs.wait(job.id, timeout=60)
        assert_type(ended.status, JobStatus)
        assert_type([operator.name for operator in ended.operators], list[str])
        assert_type(list(client.jobs.logs(job.id, "operator")), list[str])
        assert_type(client.jobs.list(JobFilter()), list[JobInfo])
        assert_type(client.payloads.get(job.payload_id), PayloadInfo)
        assert_type(b"".join(client.payloads.read(job.payload_id, "input/scan")), bytes)
        assert_type(client.payloads.remove_metadata(job.payload_id, ["key"]), dict[str, str])
        assert_type(client.server.version(), ServerVersion)


async def at_once() -> None:
    async with AsyncClient("localhost", insecure=True) as client:
        assert_type(await client.payloads.create(metadata=None), str)
        assert_type(await client.jobs.cancel("0" * 32, "enough"), JobToken)
        async for line in client.jobs.logs("0" * 32):
            assert_type(line, str)
        async for job in client.jobs.watch("0" * 32):
            assert_type(job, Job)
        await client.payloads.write("0" * 32, "name", b"content")
        for sample in await client.server.utilization():
            assert_type(sample.memory_used, int)
