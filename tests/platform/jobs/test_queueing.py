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

PENDING, RUNNING, STOPPED = 1, 2, 3
HEALTHY, CANCELED, TERMINATED = 1, 3, 5


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A server with one slot, and with short limits."""
    options = "--allow-any-command --slots 1 --timeout-default 1 --timeout-maximum 2 --grace 0.5"
    server = ServerProgram(tmp_path_factory.mktemp("narrow") / "root", *options.split())
    with contextlib.closing(server.connect()) as channel:
        yield Office(Wire(channel))
    server.stop()


def test_jobs_wait_for_a_slot_and_immediate_ones_go_first(narrow: Office) -> None:
    first = narrow.create(narrow.pipeline(shell("sleep 0.6")))
    pipeline = narrow.pipeline(shell("true"))
    lower = narrow.create(pipeline, priority=jobs_pb2.JOB_PRIORITY_LOWER)
    higher = narrow.create(pipeline, priority=jobs_pb2.JOB_PRIORITY_HIGHER)
    immediate = narrow.create(pipeline, priority=jobs_pb2.JOB_PRIORITY_IMMEDIATE)
    assert narrow.start(first).state == RUNNING
    for job_id in (lower, higher, immediate):
        answer = narrow.start(job_id)
        assert (answer.state, answer.status) == (PENDING, HEALTHY)
        assert narrow.status(job_id).started.value == 0
    assert narrow.ids(jobs_pb2.JobsListRequest()) == [first]
    ended = []
    for job_id in (immediate, higher, lower):
        assert narrow.wait(job_id).status == HEALTHY
        ended.append(narrow.list(has_state=[STOPPED]))
    assert all(first in each for each in ended)
    assert [lower in ended[0], higher in ended[0]] == [False, False]


def test_a_canceled_job_leaves_the_queue(narrow: Office) -> None:
    first = narrow.create(narrow.pipeline(shell("sleep 0.5")))
    pipeline = narrow.pipeline(shell("true"))
    waiting, last = narrow.create(pipeline), narrow.create(pipeline)
    for job_id in (first, waiting, last):
        narrow.start(job_id)
    assert narrow.cancel(waiting, "no").job_status == CANCELED
    assert narrow.wait(last).status == HEALTHY
    status = narrow.status(waiting)
    assert (status.started.value, list(status.messages)) == (0, ["no"])


def limited(seconds: str) -> str:
    definition = shell("exec sleep 60").replace("0.4.0", "1.0.0")
    return definition.replace("name: one\n", f"name: one\n        timeout: {seconds}\n")


@pytest.mark.parametrize(
    ("definition", "limit"),
    [(shell("exec sleep 60"), 1), (limited("1"), 1), (limited("500"), 2)],
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
