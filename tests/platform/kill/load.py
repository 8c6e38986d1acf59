# SPDX-License-Identifier: Apache-2.0
"""Callers that note what a server has acknowledged, until it is gone."""

from __future__ import annotations

import hashlib
import random
import threading
from dataclasses import dataclass, field

import grpc

from clara_fastio.platform._proto import (
    common_pb2,
    jobs_pb2,
    payloads_pb2,
    pipelines_pb2,
)
from tests.platform.serving import Wire

TEXT = """\
api-version: 0.4.0
name: killing
parameters: {PAUSE: "0"}
operators:
- name: only
  container: {image: none, command: [sh, -c, "sleep ${{ PAUSE }}; echo done > /out/file"]}
  output: [{path: /out}]
"""
CHUNK = 64 << 10


@dataclass
class Ledger:
    """What was acknowledged, and what was asked for and may or may not have been done.

    `files` maps payload and name to the digests that may be found there: of several uploads of
    one name the last acknowledged one or any that was begun after it.
    """

    pipelines: dict[str, dict[str, str]] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    jobs: dict[str, str] = field(default_factory=dict)
    payload_of: dict[str, str] = field(default_factory=dict)
    started: set[str] = field(default_factory=set)
    stopped: dict[str, tuple[int, int]] = field(default_factory=dict)
    doubtful: set[str] = field(default_factory=set)
    files: dict[tuple[str, str], tuple[str | None, set[str]]] = field(default_factory=dict)
    acknowledged: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Caller(threading.Thread):
    """Calls at random until the server is gone; a header below zero is a failure of the test."""

    def __init__(self, address: str, ledger: Ledger, seed: int) -> None:
        super().__init__()
        self._address, self._ledger = address, ledger
        self._random = random.Random(seed)
        self.failure: BaseException | None = None

    def run(self) -> None:
        steps = [self._pipeline, self._metadata, self._job, self._upload, self._start]
        steps += [self._upload, self._status, self._remove]
        try:
            with grpc.insecure_channel(self._address) as channel:
                self._wire = Wire(channel)
                while True:
                    self._random.choice(steps)()
        except grpc.RpcError as error:
            if error.code() not in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}:
                self.failure = error
        except BaseException as error:  # noqa: BLE001 - the test raises it
            self.failure = error

    def _acknowledged(self, answer):
        assert answer.header.code == 0, list(answer.header.messages)
        self._ledger.acknowledged += 1
        return answer

    def _pick(self, known) -> str | None:
        with self._ledger.lock:
            names = list(known)
        return self._random.choice(names) if names else None

    def _pipeline(self) -> None:
        definition = pipelines_pb2.PipelineDefinitionFile(content=TEXT)
        answer = self._acknowledged(
            self._wire.Pipelines.Create(
                [pipelines_pb2.PipelinesCreateRequest(definition=definition)]
            )
        )
        with self._ledger.lock:
            self._ledger.pipelines[answer.pipeline_id.value] = {}

    def _metadata(self) -> None:
        pipeline = self._pick(self._ledger.pipelines)
        if pipeline is None or pipeline in self._ledger.removed:
            return
        pair = {f"{self._random.getrandbits(64):x}": "v"}
        answer = self._wire.Pipelines.AddMetadata(
            pipelines_pb2.PipelinesAddMetadataRequest(
                pipeline_id=common_pb2.Identifier(value=pipeline), metadata=pair
            )
        )
        if answer.header.code == -5:  # Another caller has removed it.
            return
        self._acknowledged(answer)
        with self._ledger.lock:
            self._ledger.pipelines[pipeline] |= pair

    def _remove(self) -> None:
        pipeline = self._pick(self._ledger.pipelines)
        if pipeline is None or len(self._ledger.pipelines) < 8 or self._random.random() < 0.7:
            return
        with self._ledger.lock:
            self._ledger.doubtful.add(pipeline)
        request = pipelines_pb2.PipelinesRemoveRequest(
            pipeline_id=common_pb2.Identifier(value=pipeline)
        )
        answer = self._wire.Pipelines.Remove(request)
        if answer.header.code == -5:
            return
        self._acknowledged(answer)
        with self._ledger.lock:
            self._ledger.removed.add(pipeline)

    def _job(self) -> None:
        pipeline = self._pick(self._ledger.pipelines)
        if pipeline is None:
            return
        answer = self._wire.Jobs.Create(
            jobs_pb2.JobsCreateRequest(
                pipeline_id=common_pb2.Identifier(value=pipeline), name="job"
            )
        )
        if answer.header.code == -5:
            return
        self._acknowledged(answer)
        with self._ledger.lock:
            self._ledger.jobs[answer.job_id.value] = pipeline
            self._ledger.payload_of[answer.job_id.value] = answer.payload_id.value

    def _upload(self) -> None:
        job = self._pick(self._ledger.jobs)
        if job is None or job in self._ledger.started:
            return
        payload = self._ledger.payload_of[job]
        name = f"file-{self._random.randrange(3)}"
        content = self._random.randbytes(self._random.choice([1, 1000, 300_000]))
        digest = hashlib.sha256(content).hexdigest()
        with self._ledger.lock:
            before, begun = self._ledger.files.get((payload, name), (None, set()))
            self._ledger.files[payload, name] = (before, begun | {digest})
        parts = [content[at : at + CHUNK] for at in range(0, len(content), CHUNK)]
        answer = self._wire.Payloads.Upload(
            payloads_pb2.PayloadsUploadRequest(
                payload_id=common_pb2.Identifier(value=payload),
                details=payloads_pb2.PayloadFileDetails(name=name),
                data=part,
            )
            for part in parts
        )
        if answer.header.code == -9:  # Another caller has started the job.
            return
        self._acknowledged(answer)
        with self._ledger.lock:
            _, begun = self._ledger.files[payload, name]
            self._ledger.files[payload, name] = (digest, begun)

    def _start(self) -> None:
        job = self._pick(self._ledger.jobs)
        if job is None or job in self._ledger.started:
            return
        pause = self._random.choice(["0", "0.2", "30"])
        with self._ledger.lock:
            self._ledger.started.add(job)
        answer = self._wire.Jobs.Start(
            jobs_pb2.JobsStartRequest(
                job_id=common_pb2.Identifier(value=job),
                Variables=[jobs_pb2.JobsStartRequest.NamedValue(name="PAUSE", value=pause)],
            )
        )
        self._acknowledged(answer)

    def _status(self) -> None:
        job = self._pick(self._ledger.jobs)
        if job is None:
            return
        request = jobs_pb2.JobsStatusRequest(job_id=common_pb2.Identifier(value=job))
        answer = self._acknowledged(self._wire.Jobs.Status(request))
        if answer.state == jobs_pb2.JOB_STATE_STOPPED:
            with self._ledger.lock:
                self._ledger.stopped[job] = (answer.status, answer.stopped.value)
