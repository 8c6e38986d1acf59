# SPDX-License-Identifier: Apache-2.0
"""How a server ends: what it does for the jobs that run, and what a second signal does."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.platform.jobs.office import Office
from tests.platform.jobs.runs import is_alive, marked, shell, wait_until
from tests.platform.serving import Wire

if TYPE_CHECKING:
    import grpc

PENDING, RUNNING, STOPPED = 1, 2, 3
HEALTHY, EVICTED = 1, 4


def waits_for(gate) -> str:
    return shell(f"echo up; while ! [ -e {gate} ]; do sleep 0.02; done")


def start(office: Office, definition: str) -> str:
    job_id = office.create(office.pipeline(definition))
    office.start(job_id)
    wait_until(lambda: office.log(job_id, "only") == ["up"])
    return job_id


def is_draining(channel: grpc.Channel) -> bool:
    stub = health_pb2_grpc.HealthStub(channel)
    answer = stub.Check(health_pb2.HealthCheckRequest())
    return answer.status == health_pb2.HealthCheckResponse.NOT_SERVING


def state_after(serve, root, job_id: str) -> tuple[int, int]:
    """Ask the next server how a job ended."""
    with serve(root=root).connect() as channel:
        found = Office(Wire(channel)).status(job_id)
    return found.state, found.status


def test_a_running_job_may_end_and_clients_see_it(serve, tmp_path):
    gate = tmp_path / "gate"
    server = serve("--allow-any-command", "--drain", "60", "--slots", "1")
    with server.connect() as channel:
        office = Office(Wire(channel))
        job_id = start(office, waits_for(gate))
        server.process.terminate()
        wait_until(lambda: is_draining(channel))
        later = office.create(office.pipeline(shell("true")))
        assert office.start(later).state == PENDING
        assert office.status(job_id).state == RUNNING
        gate.touch()
    assert server.process.wait(20) == 0
    assert state_after(serve, server.root, job_id) == (STOPPED, HEALTHY)
    assert "Traceback" not in server.stop()


def test_what_is_queued_while_it_drains_runs_in_the_next_server(serve, tmp_path):
    gate = tmp_path / "gate"
    server = serve("--allow-any-command", "--drain", "60")
    with server.connect() as channel:
        office = Office(Wire(channel))
        start(office, waits_for(gate))
        server.process.terminate()
        wait_until(lambda: is_draining(channel))
        later = office.create(office.pipeline(shell("echo late")))
        assert office.start(later).state == PENDING
        gate.touch()
    assert server.process.wait(20) == 0
    with serve("--allow-any-command", root=server.root).connect() as channel:
        office = Office(Wire(channel))
        assert office.wait(later).status == HEALTHY
        assert office.log(later, "only") == ["late"]


def test_who_does_not_end_in_time_is_evicted(serve, tmp_path):
    server = serve("--allow-any-command", "--drain", "0.2", "--grace", "1")
    with server.connect() as channel:
        job_id = start(Office(Wire(channel)), waits_for(tmp_path / "never"))
    server.process.terminate()
    assert server.process.wait(20) == 0
    assert marked(job_id) == []
    assert state_after(serve, server.root, job_id) == (STOPPED, EVICTED)


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(serve, tmp_path, second):
    server = serve("--allow-any-command", "--drain", "1000")
    with server.connect() as channel:
        job_id = start(Office(Wire(channel)), waits_for(tmp_path / "never"))
        operators = marked(job_id)
        assert operators
        server.process.terminate()
        wait_until(lambda: is_draining(channel))
        server.process.send_signal(second)
    assert server.process.wait(20) == 128 + second
    wait_until(lambda: not any(map(is_alive, operators)))
    assert state_after(serve, server.root, job_id) == (STOPPED, EVICTED)
    assert "ends at once" in server.stop()
