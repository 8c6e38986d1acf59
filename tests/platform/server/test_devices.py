# SPDX-License-Identifier: Apache-2.0
"""How devices are used, and by whom."""

from __future__ import annotations

import os
import subprocess
import sys

from clara_fastio.platform._proto import clara_pb2
from clara_fastio.platform.devices import DeviceProcess, owner_of

JOB = "a" * 32


def start(**environment):
    program = "print('ready', flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **environment},
    )
    process.stdout.readline()
    return process


def test_an_operator_is_known_by_its_environment():
    with start(NVIDIA_CLARA_JOBID=JOB, NVIDIA_CLARA_STAGENAME="segment") as process:
        assert owner_of(process.pid) == DeviceProcess("segment", JOB)


def test_a_program_of_no_job_has_its_own_name():
    with start() as process:
        found = owner_of(process.pid)
    assert found.job_id is None
    assert found.name.startswith("python")


def test_a_process_that_is_gone_is_a_number():
    with start() as process:
        pid = process.pid
    assert owner_of(pid) == DeviceProcess(f"process {pid}", None)


def test_utilization_answers_once_unless_it_is_watched(wire):
    (answer,) = wire.Clara.Utilization(clara_pb2.ClaraUtilizationRequest())
    assert answer.header.code == 0


def test_utilization_goes_on_while_it_is_watched(server):
    with server.connect() as channel:
        watch = channel.unary_stream(
            "/nvidia.clara.platform.Clara/Utilization",
            request_serializer=clara_pb2.ClaraUtilizationRequest.SerializeToString,
            response_deserializer=clara_pb2.ClaraUtilizationResponse.FromString,
        )(clara_pb2.ClaraUtilizationRequest(watch=True), timeout=20)
        assert [next(watch).header.code for _ in range(3)] == [0, 0, 0]
        watch.cancel()
