# SPDX-License-Identifier: Apache-2.0
"""Records of jobs, step by step, on both kinds of database."""

from __future__ import annotations

import uuid

import pytest

from clara_fastio.errors import AlreadyExistsError, NotFoundError, PreconditionError
from clara_fastio.platform.records import definitions, job_listing, jobs, pairs, payloads
from clara_fastio.platform.records.definitions import StoredDefinition
from clara_fastio.platform.records.job_listing import JobFilter
from clara_fastio.platform.records.jobs import JobRecord, OperatorRecord
from clara_fastio.platform.records.payloads import PayloadType
from clara_fastio.platform.records.states import JobPriority, JobState, JobStatus, OperatorStatus

NOW = 1_700_000_000_000_000_000
DEFINITION = StoredDefinition("some", (("main.yaml", "text"),))


def new_job(connection, created: int = NOW, **changed) -> JobRecord:
    """Keep a job with two operators, and its payload."""
    values = {
        "id": uuid.uuid4().hex,
        "pipeline_id": uuid.uuid4().hex,
        "payload_id": uuid.uuid4().hex,
        "definition_id": definitions.put(connection, DEFINITION),
        "name": "night",
        "priority": JobPriority.HIGHER,
        "state": JobState.PENDING,
        "status": JobStatus.HEALTHY,
        "created": created,
        "operators": tuple(
            OperatorRecord(name, OperatorStatus.PENDING, created) for name in ("a", "b")
        ),
        "metadata": {"Key": "value"},
    }
    job = JobRecord(**{**values, **changed})
    payloads.add(connection, job.payload_id, PayloadType.PIPELINE, created, job_id=job.id)
    return jobs.add(connection, job)


def test_a_job_is_found_as_it_was_kept(write, read) -> None:
    job = write(new_job)
    assert read(jobs.find, job.id) == job


def test_an_unknown_job_is_not_found(read) -> None:
    with pytest.raises(NotFoundError, match="ffff"):
        read(jobs.find, "f" * 32)


def test_metadata_that_clash_keep_no_job(write, read) -> None:
    with pytest.raises(AlreadyExistsError):
        write(lambda connection: new_job(connection, metadata={"a": "", "A": ""}))
    assert read(job_listing.portion, JobFilter(), 0, 10) == ([], {})


def test_a_whole_life(write, read) -> None:
    job_id = write(new_job).id
    queued, is_new = write(jobs.queue, job_id, NOW + 1, {"A": "1"}, ["b", "c"])
    assert (is_new, queued.queued, queued.parameters) == (True, NOW + 1, {"A": "1"})
    assert [each.name for each in queued.operators] == ["b", "c"]
    begun = write(jobs.begin, job_id, NOW + 2)
    assert (begun.state, begun.started) == (JobState.RUNNING, NOW + 2)
    assert write(jobs.begin, job_id, NOW + 3) is None
    change = OperatorRecord("c", OperatorStatus.RUNNING, 0, NOW + 3)
    followed = write(jobs.follow, job_id, [change])
    assert followed.operators[1] == OperatorRecord("c", OperatorStatus.RUNNING, NOW, NOW + 3)
    stopped = write(jobs.stop, job_id, NOW + 4, JobStatus.FAULTED, ["first", "second"])
    assert (stopped.state, stopped.status) == (JobState.STOPPED, JobStatus.FAULTED)
    assert (stopped.stopped, stopped.messages) == (NOW + 4, ("first", "second"))
    assert [each.status for each in stopped.operators] == [
        OperatorStatus.PENDING,
        OperatorStatus.FAULTED,
    ]
    assert stopped.operators[1].stopped == NOW + 4
    assert write(jobs.stop, job_id, NOW + 9, JobStatus.HEALTHY, ["x"]) == stopped
    assert read(jobs.find, job_id) == stopped


def test_a_start_is_repeated_or_refused(write) -> None:
    job_id = write(new_job).id
    first, _ = write(jobs.queue, job_id, NOW, {"A": "1"}, ["a", "b"])
    assert write(jobs.queue, job_id, NOW + 5, {"A": "1"}, []) == (first, False)
    with pytest.raises(PreconditionError, match="other variables"):
        write(jobs.queue, job_id, NOW, {}, [])
    write(jobs.stop_pending, job_id, NOW, JobStatus.CANCELED, ["no"])
    with pytest.raises(PreconditionError, match="CANCELED"):
        write(jobs.queue, job_id, NOW, {"A": "1"}, [])


def test_a_job_without_a_payload_is_not_queued(write) -> None:
    job = write(new_job)
    write(payloads.remove, job.payload_id)
    with pytest.raises(NotFoundError, match="payload"):
        write(jobs.queue, job.id, NOW, {}, [])


def test_only_a_pending_job_is_stopped_as_pending(write) -> None:
    job_id = write(new_job).id
    write(jobs.queue, job_id, NOW, {}, ["a"])
    running = write(jobs.begin, job_id, NOW)
    assert write(jobs.stop_pending, job_id, NOW, JobStatus.CANCELED, []) == running


def test_running_jobs_are_evicted_and_queued_ones_keep_their_order(write, read) -> None:
    ids = [write(new_job).id for _ in range(4)]
    for delay, job_id in ((0, ids[0]), (3, ids[1]), (2, ids[2])):
        write(jobs.queue, job_id, NOW + delay, {}, ["a"])
    write(jobs.begin, ids[0], NOW)
    assert write(jobs.evict_running, NOW + 9, "gone") == [ids[0]]
    found = read(jobs.find, ids[0])
    assert (found.status, found.messages) == (JobStatus.EVICTED, ("gone",))
    assert read(jobs.queued) == [ids[2], ids[1]]
    assert read(jobs.find, ids[3]).state is JobState.PENDING


def test_a_listing_comes_in_portions_with_metadata(write, read) -> None:
    ids = [write(lambda connection, n=n: new_job(connection, NOW + n)).id for n in range(5)]
    write(pairs.remove, pairs.JOB, ids[1], ["key"])
    first, metadata = read(job_listing.portion, JobFilter(), 0, 3)
    assert [row.id for row in first] == ids[:3]
    assert metadata == {ids[0]: {"Key": "value"}, ids[2]: {"Key": "value"}}
    rest, _ = read(job_listing.portion, JobFilter(), first[-1].sequence, 3)
    assert [row.id for row in rest] == ids[3:]


def test_filters_are_combined(write, read) -> None:
    ids = [write(lambda connection, n=n: new_job(connection, NOW + n)).id for n in range(4)]
    write(jobs.stop, ids[1], NOW + 10, JobStatus.CANCELED)
    write(jobs.stop, ids[2], NOW + 20, JobStatus.CANCELED)

    def found(**wanted) -> list[str]:
        return [row.id for row in read(job_listing.portion, JobFilter(**wanted), 0, 10)[0]]

    assert found(states=frozenset({JobState.STOPPED})) == ids[1:3]
    assert found(completed_before=NOW + 20) == [ids[1]]
    assert found(created_after=NOW + 1) == ids[2:]
    assert found(created_after=NOW + 1, statuses=frozenset({JobStatus.CANCELED})) == [ids[2]]
    pipeline_id = read(jobs.find, ids[3]).pipeline_id
    assert found(pipeline_ids=frozenset({pipeline_id, "f" * 32})) == [ids[3]]
    assert found(pipeline_ids=frozenset({pipeline_id}), completed_before=NOW + 99) == []
