# SPDX-License-Identifier: Apache-2.0
"""Jobs through the client, from the definition to the results."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools

import pytest

from clara_fastio import errors
from clara_fastio.platform import (
    AsyncClient,
    JobFilter,
    JobPriority,
    JobState,
    JobStatus,
    OperatorStatus,
    PayloadType,
)
from tests.platform.client.definitions import SHOUT, SLEEP


@pytest.fixture
def shouting(client):
    return client.pipelines.create({"main.yaml": SHOUT})


def test_a_job_from_its_input_to_its_results(client, shouting, tmp_path):
    job = client.jobs.create(shouting, "first", metadata={"Ward": "7"})
    before = client.jobs.get(job.id)
    assert (before.state, before.status) == (JobState.PENDING, JobStatus.HEALTHY)
    assert (before.name, before.priority) == ("first", JobPriority.NORMAL)
    assert (before.pipeline_id, before.payload_id) == (shouting, job.payload_id)
    assert before.metadata == {"Ward": "7"}
    assert before.created is not None
    assert before.started is before.stopped is None
    client.payloads.write(job.payload_id, "words", b"so quiet\n")
    token = client.jobs.start(job.id, {"word": "hark"})
    assert token.id == job.id
    done = client.jobs.wait(job.id, timeout=30)
    assert done.has_succeeded, done.messages
    assert done.created <= done.started <= done.stopped
    assert abs(done.stopped - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=5)
    first, second = done.operators
    assert (first.name, first.status) == ("shout", OperatorStatus.COMPLETED)
    assert second.input_dependencies == ("shout",)
    assert second.order_dependencies == ()
    assert list(client.jobs.logs(job.id, "shout")) == ["hark"]
    assert list(client.jobs.logs(job.id))
    info = client.payloads.get(job.payload_id)
    assert (info.type, info.job_id) == (PayloadType.PIPELINE, job.id)
    client.payloads.download(job.payload_id, tmp_path / "results", "operators")
    assert (tmp_path / "results" / "shout" / "loud").read_text() == "SO QUIET\n"


def test_reusable_payloads_become_the_input(client, shouting):
    payloads = [client.payloads.create() for _ in range(2)]
    for number, each in enumerate(payloads):
        client.payloads.write(each, f"words-{number}", b"abc\n")
    job = client.jobs.create(shouting, "filled", input_payloads=payloads)
    found = client.payloads.get(job.payload_id)
    assert [file.name for file in found.files] == ["input/words-0", "input/words-1"]
    with pytest.raises(errors.AlreadyExistsError):
        client.jobs.create(shouting, "twice", input_payloads=payloads[:1] * 2)


def test_the_payload_of_a_started_job_cannot_be_written(client, shouting):
    job = client.jobs.create(shouting, "closed")
    client.payloads.write(job.payload_id, "words", b"x")
    client.jobs.start(job.id)
    with pytest.raises(errors.PreconditionError):
        client.payloads.write(job.payload_id, "more", b"x")
    client.jobs.wait(job.id, timeout=30)


def test_a_job_that_fails_says_why(client):
    text = SHOUT.replace("cat /input/* |", "echo no idea; exit 3 #")
    job = client.jobs.create(client.pipelines.create({"main.yaml": text}), "failing")
    client.jobs.start(job.id)
    done = client.jobs.wait(job.id, timeout=30)
    assert (done.state, done.status) == (JobState.STOPPED, JobStatus.FAULTED)
    assert not done.has_succeeded
    assert any("shout" in message for message in done.messages)
    assert [each.status for each in done.operators] == [
        OperatorStatus.FAULTED,
        OperatorStatus.PENDING,
    ]


def test_a_job_is_canceled_while_it_runs(client):
    job = client.jobs.create(client.pipelines.create({"main.yaml": SLEEP}), "sleeping")
    client.jobs.start(job.id)
    with pytest.raises(errors.DeadlineExceededError, match="goes on"):
        client.jobs.wait(job.id, timeout=0.5)
    client.jobs.cancel(job.id, "no longer wanted")
    done = client.jobs.wait(job.id, timeout=30)
    assert done.status is JobStatus.CANCELED
    assert any("no longer wanted" in message for message in done.messages)
    assert client.jobs.cancel(job.id).status is JobStatus.CANCELED
    with pytest.raises(errors.PreconditionError):
        client.jobs.start(job.id)


def test_jobs_are_listed_by_what_they_are(only_client):
    client = only_client
    shouting = client.pipelines.create({"main.yaml": SHOUT})
    other = client.pipelines.create({"main.yaml": SHOUT})
    kept = client.jobs.create(shouting, "kept", priority=JobPriority.HIGHER)
    canceled = client.jobs.create(other, "canceled")
    client.jobs.cancel(canceled.id)

    def found(**fields):
        return [job.name for job in client.jobs.list(JobFilter(**fields))]

    assert found() == ["kept", "canceled"]
    assert client.jobs.list() == []  # None of them runs.
    assert found(states=(JobState.PENDING,)) == ["kept"]
    assert found(statuses=(JobStatus.CANCELED, JobStatus.FAULTED)) == ["canceled"]
    assert found(pipeline_ids=(shouting,)) == ["kept"]
    assert found(pipeline_ids=(shouting, other), states=(JobState.STOPPED,)) == ["canceled"]
    hour = dt.timedelta(hours=1)
    now = dt.datetime.now()  # noqa: DTZ005 - a time without a zone is local
    assert found(created_after=now + hour) == []
    assert found(created_after=now - hour) == ["kept", "canceled"]
    assert found(completed_before=now + hour) == ["canceled"]
    (listed,) = client.jobs.list(JobFilter(states=(JobState.PENDING,)))
    assert (listed.id, listed.payload_id, listed.priority) == (
        kept.id,
        kept.payload_id,
        JobPriority.HIGHER,
    )


def test_metadata_of_a_job(client, shouting):
    job = client.jobs.create(shouting, "noted", metadata={"a": "1"})
    assert client.jobs.add_metadata(job.id, {"b": "2"}) == {"a": "1", "b": "2"}
    assert client.jobs.remove_metadata(job.id, ["A", "c"]) == {"b": "2"}


def test_a_job_is_watched_until_it_ends(shared_server):
    async def work():
        async with AsyncClient(shared_server.address) as client:
            pipeline = await client.pipelines.create({"main.yaml": SHOUT})
            job = await client.jobs.create(pipeline, "watched")
            await client.payloads.write(job.payload_id, "words", b"x")
            watching = client.jobs.watch(job.id)
            seen = [await anext(watching)]
            await client.jobs.start(job.id)
            seen += [each async for each in watching]
            return seen

    seen = asyncio.run(work())
    assert (seen[0].state, seen[-1].state) == (JobState.PENDING, JobState.STOPPED)
    assert all(before != after for before, after in itertools.pairwise(seen))


def test_wrong_arguments_are_told(client, shouting):
    job = client.jobs.create(shouting, "wrong")
    with pytest.raises(errors.DefinitionError, match="wrod"):
        client.jobs.start(job.id, {"wrod": "x"})
    with pytest.raises(errors.NotFoundError):
        client.jobs.create("f" * 32, "of nothing")
    with pytest.raises(errors.NotFoundError):
        list(client.jobs.logs(job.id, "nobody"))
