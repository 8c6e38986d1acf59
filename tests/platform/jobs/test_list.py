# SPDX-License-Identifier: Apache-2.0
"""Jobs.List and its filters."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

import pytest

from clara_fastio.platform._proto import common_pb2, jobs_pb2
from clara_fastio.platform.services.job_list import MOST_PIPELINES
from clara_fastio.platform.wire.timestamps import EPOCH
from tests.platform.jobs.office import refused
from tests.platform.jobs.runs import shell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.platform.jobs.office import Office

PENDING, RUNNING, STOPPED = 1, 2, 3
HEALTHY, FAULTED, CANCELED, EVICTED = 1, 2, 3, 4


class Jobs(NamedTuple):
    pipeline: str
    other: str
    pending: str
    running: str
    healthy: str
    faulted: str
    canceled: str


@pytest.fixture(scope="module")
def jobs(office: Office) -> Iterator[Jobs]:
    pipeline = office.pipeline(shell("exit ${CODE:-0}"))
    other = office.pipeline(shell("exec sleep 60"))
    failing = office.pipeline(shell("exit 1"))
    found = Jobs(
        pipeline,
        other,
        pending=office.create(pipeline, name="a pending one", metadata={"Key": "value"}),
        running=office.create(other),
        healthy=office.create(pipeline),
        faulted=office.create(failing),
        canceled=office.create(other),
    )
    for job_id in (found.running, found.healthy, found.faulted):
        office.start(job_id)
    for job_id in (found.healthy, found.faulted):
        office.wait(job_id)
    office.cancel(found.canceled)
    yield found
    office.cancel(found.running)


def identifiers(*values: str) -> list[common_pb2.Identifier]:
    return [common_pb2.Identifier(value=value) for value in values]


def test_without_a_filter_the_running_jobs(office: Office, jobs: Jobs) -> None:
    assert office.ids(jobs_pb2.JobsListRequest()) == [jobs.running]


def test_an_empty_filter_gives_all_jobs_in_order(office: Office, jobs: Jobs) -> None:
    assert office.list() == list(jobs[2:])


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"has_state": [PENDING]}, ["pending"]),
        ({"has_state": [PENDING, RUNNING]}, ["pending", "running"]),
        ({"has_status": [FAULTED, CANCELED]}, ["faulted", "canceled"]),
        ({"has_status": [EVICTED]}, []),
        ({"has_state": [STOPPED], "has_status": [HEALTHY]}, ["healthy"]),
        ({"has_state": [PENDING], "has_status": [FAULTED]}, []),
        ({"created_after": {"value": 1}}, [*Jobs._fields[2:]]),
        ({"created_after": {"value": EPOCH}}, [*Jobs._fields[2:]]),
        ({"created_after": {"value": 2 * EPOCH}}, []),
        ({"completed_before": {"value": EPOCH}}, []),
        ({"completed_before": {"value": 1}}, []),
        ({"created_after": {"value": (1 << 63) - 1}}, []),
        ({"completed_before": {"value": 2 * EPOCH}}, ["healthy", "faulted", "canceled"]),
    ],
)
def test_filters(office: Office, jobs: Jobs, fields: dict, names: list[str]) -> None:
    assert office.list(**fields) == [getattr(jobs, name) for name in names]


def test_filter_by_pipeline(office: Office, jobs: Jobs) -> None:
    found = office.list(pipeline_id=identifiers(jobs.pipeline.upper()))
    assert found == [jobs.pending, jobs.healthy]
    both = office.list(pipeline_id=identifiers(jobs.pipeline, jobs.other), has_state=[STOPPED])
    assert both == [jobs.healthy, jobs.canceled]
    assert office.list(pipeline_id=identifiers("0" * 32)) == []


def test_completed_before_leaves_out_what_was_completed_later(office: Office, jobs: Jobs) -> None:
    stopped = office.status(jobs.healthy).stopped.value
    assert jobs.healthy not in office.list(completed_before={"value": stopped})
    assert jobs.healthy in office.list(completed_before={"value": stopped + 1})


@pytest.mark.usefixtures("jobs")
def test_an_answer_says_all_there_is(office: Office) -> None:
    answers = office.wire.Jobs.List(
        jobs_pb2.JobsListRequest(filter=jobs_pb2.JobsListRequest.JobFilter())
    )
    for answer in answers:
        found = answer.job_details
        status = office.status(found.job_id.value)
        for name in (
            "payload_id", "pipeline_id", "state", "status", "priority", "timestamp_created",
            "timestamp_started", "timestamp_stopped", "metadata",
        ):  # fmt: skip
            assert getattr(found, name) == getattr(status, name), name
        for name in ("created", "started", "stopped"):
            assert getattr(found, name).value == getattr(status, name).value
        assert found.job_name == status.name
    assert dict(answers[0].job_details.metadata) == {"Key": "value"}
    assert answers[0].job_details.job_name == "a pending one"


def test_wrong_filters_are_refused(office: Office) -> None:
    for fields in ({"has_state": [9]}, {"has_status": [0]}, {"pipeline_id": identifiers("x")}):
        wanted = jobs_pb2.JobsListRequest.JobFilter(**fields)
        answers = office.wire.Jobs.List(jobs_pb2.JobsListRequest(filter=wanted))
        assert len(answers) == 1
        refused(answers[0], -3)


def test_a_filter_takes_many_pipelines_and_refuses_too_many(office: Office, jobs: Jobs) -> None:
    others = [f"{number:032x}" for number in range(MOST_PIPELINES - 1)]
    assert office.list(pipeline_id=identifiers(*others, jobs.other)) == [
        jobs.running,
        jobs.canceled,
    ]
    wanted = jobs_pb2.JobsListRequest.JobFilter(
        pipeline_id=identifiers(*others * 7, jobs.other, "0" * 32)
    )
    (answer,) = office.wire.Jobs.List(jobs_pb2.JobsListRequest(filter=wanted))
    assert f"{MOST_PIPELINES} are the most" in refused(answer, -3)


def test_nothing_to_list_is_one_answer_without_a_job(office: Office) -> None:
    wanted = jobs_pb2.JobsListRequest.JobFilter(
        created_after={"value": EPOCH + int(time.time()) * 2}
    )
    answers = office.wire.Jobs.List(jobs_pb2.JobsListRequest(filter=wanted))
    assert len(answers) == 1
    assert not answers[0].HasField("job_details")
    assert answers[0].header.code == 0
