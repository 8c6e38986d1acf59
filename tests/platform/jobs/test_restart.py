# SPDX-License-Identifier: Apache-2.0
"""What becomes of jobs when their server is killed or stopped, and another one is started."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from clara_fastio.platform._proto import jobs_pb2
from tests.platform.jobs.office import Office
from tests.platform.jobs.runs import children, is_alive, kill, marked, shell, wait_until
from tests.platform.serving import Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.platform.serving import ServerProgram

PENDING, RUNNING, STOPPED = 1, 2, 3
HEALTHY, FAULTED, CANCELED, EVICTED = 1, 2, 3, 4
OPTIONS = ("--allow-any-command", "--slots", "1", "--grace", "1")


@contextlib.contextmanager
def calling(server: ServerProgram) -> Iterator[Office]:
    with contextlib.closing(server.connect()) as channel:
        yield Office(Wire(channel))


def begin(office: Office, script: str = "exec sleep 60") -> str:
    job_id = office.create(office.pipeline(shell(f"echo ready; {script}")))
    office.start(job_id)
    wait_until(lambda: office.log(job_id, "only") == ["ready"])
    return job_id


def test_running_jobs_are_evicted_and_others_are_as_they_were(
    serve: Callable[..., ServerProgram], tmp_path: Path
) -> None:
    server = serve(*OPTIONS, root=tmp_path / "root")
    with calling(server) as office:
        running = begin(office)
        pipeline = office.pipeline(shell("date +%s%N"))
        created = office.create(pipeline, metadata={"Key": "value"})
        queued = [office.create(pipeline) for _ in range(3)]
        for job_id in queued:
            assert office.start(job_id).state == PENDING
        before = office.status(created)
        doomed = {*marked(running), *children(server.pid)}
    assert len(doomed) >= 3
    server.kill()
    wait_until(lambda: not [pid for pid in doomed if is_alive(pid)], 2)

    with calling(serve(*OPTIONS, root=tmp_path / "root")) as office:
        status = office.status(running)
        assert (status.state, status.status) == (STOPPED, EVICTED)
        assert "the server ended" in status.messages[0]
        assert status.stopped.value > 0
        assert status.operator_details[0].status == jobs_pb2.JOB_OPERATOR_STATUS_FAULTED
        assert office.log(running, "only") == ["ready"]
        assert office.log(running, "clara-pod-manager")[-1].endswith(
            "Z evicted: the server ended while the job ran"
        )
        assert office.list(has_status=[EVICTED]) == [running]
        assert office.status(created) == before
        times = []
        for job_id in queued:
            assert office.wait(job_id).status == HEALTHY
            times += office.log(job_id, "only")
        assert times == sorted(times)
        office.start(created)
        assert office.wait(created).status == HEALTHY


def test_immediate_jobs_go_first_after_a_restart_too(
    serve: Callable[..., ServerProgram], tmp_path: Path
) -> None:
    server = serve(*OPTIONS, root=tmp_path / "root")
    with calling(server) as office:
        begin(office)
        pipeline = office.pipeline(shell("date +%s%N"))
        normal = office.create(pipeline)
        immediate = office.create(pipeline, priority=jobs_pb2.JOB_PRIORITY_IMMEDIATE)
        for job_id in (normal, immediate):
            office.start(job_id)
    server.kill()
    with calling(serve(*OPTIONS, root=tmp_path / "root")) as office:
        times = []
        for job_id in (immediate, normal):
            assert office.wait(job_id).status == HEALTHY
            times += office.log(job_id, "only")
        assert times == sorted(times)


def test_queued_jobs_that_may_not_run_any_more_are_faulted(
    serve: Callable[..., ServerProgram], tmp_path: Path
) -> None:
    server = serve(*OPTIONS, root=tmp_path / "root")
    with calling(server) as office:
        begin(office)
        queued = office.create(office.pipeline(shell("true")))
        office.start(queued)
    server.kill()
    with calling(serve(root=tmp_path / "root")) as office:
        status = office.status(queued)
        assert (status.state, status.status) == (STOPPED, FAULTED)
        assert "not registered" in status.messages[0]


def test_a_stopped_server_evicts_what_runs(
    serve: Callable[..., ServerProgram], tmp_path: Path
) -> None:
    server = serve(*OPTIONS, root=tmp_path / "root")
    with calling(server) as office:
        running = begin(office)
        queued = office.create(office.pipeline(shell("true")))
        office.start(queued)
        doomed = {*marked(running), *children(server.pid)}
    server.stop()
    assert not [pid for pid in doomed if is_alive(pid)]
    with calling(serve(*OPTIONS, root=tmp_path / "root")) as office:
        status = office.status(running)
        assert (status.state, status.status) == (STOPPED, EVICTED)
        assert list(status.messages) == ["the server was stopped"]
        assert office.log(running, "clara-pod-manager")[-1].endswith(
            "Z evicted: the server was stopped"
        )
        assert office.wait(queued).status == HEALTHY


@pytest.mark.parametrize("victim", ["runner", "supervisor"])
def test_the_server_survives_its_helpers(serve: Callable[..., ServerProgram], victim: str) -> None:
    server = serve(*OPTIONS)
    with calling(server) as office:
        running = begin(office)
        (supervisor,) = children(server.pid)
        (runner,) = children(supervisor)
        kill(runner if victim == "runner" else supervisor)
        status = office.wait(running)
        assert (status.status, len(status.messages)) == (FAULTED, 1)
        wait_until(lambda: not marked(running), 2)
        assert office.run(shell("true")).status == HEALTHY
