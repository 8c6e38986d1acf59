# SPDX-License-Identifier: Apache-2.0
"""Jobs that wait for their turn, and time limits, on servers with settings of their own."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from clara_fastio.platform._proto import jobs_pb2
from tests.platform.jobs.office import Office
from tests.platform.jobs.runs import shell, wait_until
from tests.platform.serving import ServerProgram, Wire

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PENDING, RUNNING, STOPPED = 1, 2, 3
HEALTHY, CANCELED, TERMINATED = 1, 3, 5


@contextlib.contextmanager
def office(folder: Path, options: str) -> Iterator[Office]:
    server = ServerProgram(folder / "root", *options.split())
    with contextlib.closing(server.connect()) as channel:
        yield Office(Wire(channel))
    server.stop()


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A server with one slot."""
    with office(tmp_path_factory.mktemp("single"), "--allow-any-command --slots 1") as found:
        yield found


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A server with one slot, and with short limits."""
    limits = "--timeout-default 2 --timeout-maximum 3 --grace 0.5"
    options = f"--allow-any-command --slots 1 {limits}"
    with office(tmp_path_factory.mktemp("narrow"), options) as found:
        yield found


def test_jobs_wait_for_a_slot_and_immediate_ones_go_first(single: Office) -> None:
    first = single.create(single.pipeline(shell("sleep 0.6")))
    pipeline = single.pipeline(shell("true"))
    lower = single.create(pipeline, priority=jobs_pb2.JOB_PRIORITY_LOWER)
    higher = single.create(pipeline, priority=jobs_pb2.JOB_PRIORITY_HIGHER)
    immediate = single.create(pipeline, priority=jobs_pb2.JOB_PRIORITY_IMMEDIATE)
    assert single.start(first).state == RUNNING
    for job_id in (lower, higher, immediate):
        answer = single.start(job_id)
        assert (answer.state, answer.status) == (PENDING, HEALTHY)
        assert single.status(job_id).started.value == 0
    assert single.ids(jobs_pb2.JobsListRequest()) == [first]
    ended = []
    for job_id in (immediate, higher, lower):
        assert single.wait(job_id).status == HEALTHY
        ended.append(single.list(has_state=[STOPPED]))
    assert all(first in each for each in ended)
    assert [lower in ended[0], higher in ended[0]] == [False, False]


def test_a_canceled_job_leaves_the_queue(single: Office) -> None:
    first = single.create(single.pipeline(shell("sleep 0.5")))
    pipeline = single.pipeline(shell("true"))
    waiting, last = single.create(pipeline), single.create(pipeline)
    for job_id in (first, waiting, last):
        single.start(job_id)
    assert single.cancel(waiting, "no").job_status == CANCELED
    assert single.wait(last).status == HEALTHY
    status = single.status(waiting)
    assert (status.started.value, list(status.messages)) == (0, ["no"])


def limited(seconds: str) -> str:
    definition = shell("exec sleep 60").replace("0.4.0", "1.0.0")
    return definition.replace("name: one\n", f"name: one\n        timeout: {seconds}\n")


@pytest.mark.parametrize(
    ("definition", "limit"),
    [(shell("exec sleep 60"), 2), (limited("1"), 1), (limited("500"), 3)],
    ids=["default", "own", "maximum"],
)
def test_time_limits_terminate_a_job(narrow: Office, definition: str, limit: int) -> None:
    status = narrow.run(definition)
    assert (status.state, status.status) == (STOPPED, TERMINATED)
    assert f"time limit of {limit} s" in status.messages[0]
    assert status.operator_details[0].status == jobs_pb2.JOB_OPERATOR_STATUS_FAULTED


def test_time_in_the_queue_does_not_count(narrow: Office) -> None:
    first = narrow.create(narrow.pipeline(limited("2")))
    second = narrow.create(narrow.pipeline(shell("sleep 0.5")))
    narrow.start(first)
    narrow.start(second)
    assert narrow.wait(first).status == TERMINATED
    wait_until(lambda: narrow.status(second).state == STOPPED)
    assert narrow.status(second).status == HEALTHY
