# SPDX-License-Identifier: Apache-2.0
"""What the benches of payloads share: servers on the two processors, and a client that is cheap."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
import time
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import TYPE_CHECKING

import grpc

from bench.harness.sampling import Sample
from bench.harness.workers import CPUS, ROOT
from clara_fastio.platform._proto import common_pb2, payloads_pb2
from clara_fastio.platform.wire.methods import METHODS

if TYPE_CHECKING:
    from collections.abc import Iterator

_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
NAME = "scan.raw"


@contextlib.contextmanager
def listening(*module: object) -> Iterator[tuple[int, str]]:
    """Start a server on both processors; gives its process id and its address."""
    command = ["taskset", "-c", ",".join(map(str, sorted(set(CPUS)))), sys.executable, "-m"]
    process = subprocess.Popen(
        [*command, *map(str, module)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
    )
    try:
        line = process.stdout.readline()
        if not line.startswith("listening on "):
            raise RuntimeError(f"{module[0]} said {line!r}")
        yield process.pid, line.split()[2]
    finally:
        process.stdin.close()
        process.terminate()
        process.wait(20)
        process.stdout.close()


@contextlib.contextmanager
def running(*module: object) -> Iterator[tuple[int, grpc.Channel]]:
    """Start a server as `listening` does; gives its process id and a channel to it."""
    options = [("grpc.max_receive_message_length", 5 << 20)]
    with listening(*module) as (pid, address), grpc.insecure_channel(address, options) as channel:
        yield pid, channel


def ours(root: Path):
    """Start `clara serve`."""
    return running("clara_fastio.cli", "serve", "--root", root, "--port", "0")


def bare(folder: Path, kind: str = "plain"):
    """Start the twin, which does without everything that a server has to care for."""
    folder.mkdir()
    return running("bench.programs.bare_payloads", folder, kind)


def new_payload(channel: grpc.Channel) -> str:
    """Make a reusable payload."""
    method = METHODS["Payloads"]["Create"]
    create = channel.unary_unary(
        method.path, method.request.SerializeToString, method.response.FromString
    )
    return create(method.request()).payload_id.value


class Stream:
    """One stream per step; its messages are made once, and answers are not looked into.

    Parameters
    ----------
    server
        Process id and channel.
    payload_id
        Where the file is, or will be; the bare twin does not look at it.
    nbytes, chunk
        Bytes of the file, and of a message.
    """

    def __init__(
        self, server: tuple[int, grpc.Channel], payload_id: str, *, nbytes: int, chunk: int
    ) -> None:
        pid, channel = server
        self.pids = [pid]
        self._nbytes = nbytes
        self._count = max(1, nbytes // chunk)
        identifier = common_pb2.Identifier(value=payload_id)
        part = payloads_pb2.PayloadFileDetails(name=NAME, size=chunk)
        self._part = payloads_pb2.PayloadsUploadRequest(
            payload_id=identifier, details=part, data=os.urandom(min(chunk, nbytes))
        ).SerializeToString()
        self._upload = channel.stream_unary(METHODS["Payloads"]["Upload"].path)
        self._download = channel.unary_stream(METHODS["Payloads"]["Download"].path)
        self._wanted = payloads_pb2.PayloadsDownloadRequest(
            payload_id=identifier, name=NAME
        ).SerializeToString()

    def upload(self) -> None:
        """Send the file."""
        answer = self._upload(itertools.repeat(self._part, self._count))
        response = payloads_pb2.PayloadsUploadResponse.FromString(answer)
        if response.header.code:
            raise RuntimeError(f"the upload failed: {response.header}")

    def download(self) -> None:
        """Receive the file."""
        nbytes = sum(map(len, self._download(self._wanted)))
        if nbytes < self._nbytes:
            raise RuntimeError(f"{nbytes} bytes have come, {self._nbytes} were sent")


class Uploads(Stream):
    """Sends the same file again and again."""

    def run(self, steps: int) -> Sample:
        """Send it so many times."""
        return _timed(self.upload, self.pids[0], steps)


class Downloads(Stream):
    """Receives the same file again and again."""

    def run(self, steps: int) -> Sample:
        """Receive it so many times."""
        return _timed(self.download, self.pids[0], steps)


def _timed(call, server: int, steps: int) -> Sample:
    sleeps = getrusage(RUSAGE_SELF).ru_nvcsw
    cpu = time.process_time_ns() + _cpu_ns(server)
    wall = time.perf_counter_ns()
    for _ in range(steps):
        call()
    return Sample(
        steps,
        time.perf_counter_ns() - wall,
        time.process_time_ns() + _cpu_ns(server) - cpu,
        getrusage(RUSAGE_SELF).ru_nvcsw - sleeps,
    )


def _cpu_ns(pid: int) -> int:
    """Processor time of another process, in the kernel's ticks of ten milliseconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_NS
