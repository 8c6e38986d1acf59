# SPDX-License-Identifier: Apache-2.0
"""What the benches of jobs share: servers that know jobs, their twins, and clients."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from typing import TYPE_CHECKING, NamedTuple

import grpc
from sqlalchemy import insert

from bench.harness.sampling import Sample
from bench.platform.payload_twins import listening
from clara_fastio.platform._proto import common_pb2, jobs_pb2, pipelines_pb2
from clara_fastio.platform.records import definitions, tables
from clara_fastio.platform.records.database import Database
from clara_fastio.platform.wire.methods import METHODS

if TYPE_CHECKING:
    from collections.abc import Iterator

_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_CONNECTIONS = 8
#: Prints when it has come to its own code.
PROGRAM = [sys.executable, "-c", "import time; print(time.time_ns(), flush=True)"]
DEFINITION = f"""
api-version: 0.4.0
name: bench
operators:
- name: only
  container: {{image: bench/only, command: {json.dumps(PROGRAM)}}}
  requests: {{cpu: 1, memory: 64}}
"""


def call(channel: grpc.Channel, service: str, name: str, request):
    """Call an rpc and look at its header."""
    method = METHODS[service][name]
    kind = f"{'stream' if method.takes_stream else 'unary'}_unary"
    invoke = getattr(channel, kind)(
        method.path, method.request.SerializeToString, method.response.FromString
    )
    answer = invoke(iter([request]) if method.takes_stream else request, timeout=60)
    if answer.header.code:
        raise RuntimeError(f"{name} failed: {answer.header}")
    return answer


def new_pipeline(channel: grpc.Channel) -> common_pb2.Identifier:
    """Keep the definition of one short operator."""
    file = pipelines_pb2.PipelineDefinitionFile(path="main.yaml", content=DEFINITION)
    request = pipelines_pb2.PipelinesCreateRequest(definition=file)
    return call(channel, "Pipelines", "Create", request).pipeline_id


def run_job(channel: grpc.Channel, pipeline_id: common_pb2.Identifier) -> tuple[str, int]:
    """Run a job to its end; gives its id, and the nanoseconds until its operator's own code."""
    create = jobs_pb2.JobsCreateRequest(pipeline_id=pipeline_id, name="bench")
    job_id = call(channel, "Jobs", "Create", create).job_id
    begun = time.time_ns()
    call(channel, "Jobs", "Start", jobs_pb2.JobsStartRequest(job_id=job_id))
    status = jobs_pb2.JobsStatusRequest(job_id=job_id)
    while call(channel, "Jobs", "Status", status).state != jobs_pb2.JOB_STATE_STOPPED:
        time.sleep(0.005)
    read = channel.unary_stream(
        METHODS["Jobs"]["ReadLogs"].path,
        jobs_pb2.JobsReadLogsRequest.SerializeToString,
        jobs_pb2.JobsReadLogsResponse.FromString,
    )
    (answer,) = read(jobs_pb2.JobsReadLogsRequest(job_id=job_id, operator_name="only"))
    return job_id.value, int(answer.logs[0]) - begun


def fill(root: Path, count: int) -> None:
    """Record jobs that have finished, as a server would have."""
    root.mkdir()
    now = time.time_ns()
    database = Database(f"sqlite:///{root / 'records.sqlite'}")

    def add(connection) -> None:
        stored = definitions.StoredDefinition("bench", (("main.yaml", DEFINITION),))
        definition_id = definitions.put(connection, stored)
        pipeline_id = uuid.uuid4().hex
        rows = [
            {
                "id": uuid.uuid4().hex,
                "pipeline_id": pipeline_id,
                "payload_id": uuid.uuid4().hex,
                "definition_id": definition_id,
                "name": f"job {number}",
                "priority": 2,
                "state": jobs_pb2.JOB_STATE_STOPPED,
                "status": jobs_pb2.JOB_STATUS_HEALTHY,
                "created": now + number * 100_000_000,
                "queued": now,
                "started": now + number * 100_000_000,
                "stopped": now + number * 100_000_000 + 5_000_000_000,
                "parameters": "{}",
            }
            for number in range(count)
        ]
        connection.execute(insert(tables.jobs), rows)

    asyncio.run(database.write(add))
    database.close()


class Served(NamedTuple):
    """A server that runs."""

    pid: int
    address: str
    channel: grpc.Channel


@contextlib.contextmanager
def ours(root: Path) -> Iterator[Served]:
    """Start `clara serve`."""
    with serving(
        "clara_fastio.cli", "serve", "--root", root, "--port", "0", "--allow-any-command"
    ) as served:
        yield served


@contextlib.contextmanager
def bare(
    folder: Path, *, status: bytes = b"", listed: bytes = b"", count: int = 0
) -> Iterator[Served]:
    """Start the twin, which gives the same messages."""
    folder.mkdir()
    (folder / "status").write_bytes(status)
    (folder / "listed").write_bytes(listed)
    (folder / "count").write_text(str(count))
    with serving("bench.programs.bare_jobs", folder) as served:
        yield served


@contextlib.contextmanager
def serving(*module: object) -> Iterator[Served]:
    """Start a server on both processors."""
    with listening(*module) as (pid, address), grpc.insecure_channel(address) as channel:
        yield Served(pid, address, channel)


class Pollers:
    """Clients that ask for the status of one job, all at once; a step is one call of each.

    Parameters
    ----------
    loop
        What the clients run on; all pollers of a process share one.
    """

    def __init__(self, server: Served, job_id: str, clients: int, loop) -> None:
        self.pids = [server.pid]
        self._pid = server.pid
        self._loop = loop
        self._clients = clients
        self._request = jobs_pb2.JobsStatusRequest(job_id={"value": job_id}).SerializeToString()
        self._channels = loop.run_until_complete(_connect(server.address))
        path = METHODS["Jobs"]["Status"].path
        self._calls = [channel.unary_unary(path) for channel in self._channels]

    def run(self, steps: int) -> Sample:
        """Let each client ask so many times."""
        return sample(lambda: self._loop.run_until_complete(self._poll(steps)), self._pid, steps)

    async def _poll(self, steps: int) -> None:
        async def client(number: int) -> None:
            for _ in range(steps):
                await self._calls[number % _CONNECTIONS](self._request)

        await asyncio.gather(*(client(number) for number in range(self._clients)))

    def close(self) -> None:
        """End the connections."""
        for channel in self._channels:
            self._loop.run_until_complete(channel.close())


async def _connect(address: str) -> list[grpc.aio.Channel]:
    """Make connections; they belong to the loop that runs."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    return [grpc.aio.insecure_channel(address, options=options) for _ in range(_CONNECTIONS)]


class Listings:
    """Lists all jobs that have stopped."""

    def __init__(self, server: Served, count: int) -> None:
        self._pid = server.pid
        self.pids = [server.pid]
        self._count = count
        wanted = jobs_pb2.JobsListRequest.JobFilter(has_state=[jobs_pb2.JOB_STATE_STOPPED])
        self._request = jobs_pb2.JobsListRequest(filter=wanted).SerializeToString()
        self._list = server.channel.unary_stream(METHODS["Jobs"]["List"].path)

    def first(self) -> bytes:
        """Give an answer without a header."""
        answers = self._list(self._request)
        next(answers)
        answer: bytes = next(answers)
        answers.cancel()
        return answer

    def run(self, steps: int) -> Sample:
        """List them so many times."""
        return sample(lambda: [self._read() for _ in range(steps)], self._pid, steps)

    def _read(self) -> None:
        found = sum(1 for _ in self._list(self._request))
        if found != self._count:
            raise RuntimeError(f"{found} of {self._count} jobs have come")


class Jobs:
    """Starts a job, and takes the time until its operator's own code."""

    def __init__(self, server: Served) -> None:
        self._pid = server.pid
        self._channel = server.channel
        self.pids = [server.pid]
        self._pipeline_id = new_pipeline(self._channel)

    def run(self, steps: int) -> Sample:
        """Run so many jobs, one after the other."""
        cpu = cpu_ns(self._pid)
        wall = sum(run_job(self._channel, self._pipeline_id)[1] for _ in range(steps))
        return Sample(steps, wall, cpu_ns(self._pid) - cpu, 0)


class ByHand:
    """Starts the same program."""

    pids = (0,)

    def run(self, steps: int) -> Sample:
        """Run it so many times, one after the other."""
        before = getrusage(RUSAGE_CHILDREN)
        wall = 0
        for _ in range(steps):
            begun = time.time_ns()
            output = subprocess.run(PROGRAM, check=True, capture_output=True, text=True).stdout
            wall += int(output) - begun
        after = getrusage(RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Sample(steps, wall, int(cpu * 1e9), 0)


def sample(work, server: int, steps: int) -> Sample:
    """Measure some work of this process and of a server."""
    sleeps = getrusage(RUSAGE_SELF).ru_nvcsw
    cpu = time.process_time_ns() + cpu_ns(server)
    wall = time.perf_counter_ns()
    work()
    return Sample(
        steps,
        time.perf_counter_ns() - wall,
        time.process_time_ns() + cpu_ns(server) - cpu,
        getrusage(RUSAGE_SELF).ru_nvcsw - sleeps,
    )


def cpu_ns(pid: int) -> int:
    """Processor time of another process, in the kernel's ticks of ten milliseconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_NS
