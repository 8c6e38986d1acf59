# SPDX-License-Identifier: Apache-2.0
"""The payload of a job: written until the job is started, kept until it has ended."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from clara_fastio.platform._proto import jobs_pb2, payloads_pb2
from clara_fastio.platform.wire.codes import Code
from tests.platform.jobs.office import Office
from tests.platform.jobs.runs import wait_until
from tests.platform.payloads.shelf import Requests

#: Copies its input and runs until it is cancelled.
WAITING = """
    api-version: 0.4.0
    name: waiting
    operators:
    - name: wait
      container:
        image: demo/wait
        command: [sh, -c, "cp /input/scan /out/copy; while sleep 0.1; do :; done"]
      input: [{path: /input}]
      output: [{path: /out}]
    """


@pytest.fixture(scope="module")
def options():
    return ("--allow-any-command", "--grace", "1")


@pytest.fixture
def office(wire) -> Office:
    return Office(wire)


@pytest.fixture
def job(office):
    """A job that is not started, and its payload."""
    created = office.try_create(office.pipeline(WAITING))
    return created.job_id.value, Requests(created.payload_id)


def test_the_payload_of_a_job_is_told_from_others(wire, job):
    job_id, payload = job
    (answer,) = wire.Payloads.Details(payload.Details())
    assert answer.type == payloads_pb2.PAYLOAD_TYPE_PIPELINE
    assert answer.job_id.value == job_id
    for answer in (
        wire.Payloads.AddMetadata(payload.AddMetadata(metadata={"a": "1"})),
        wire.Payloads.RemoveMetadata(payload.RemoveMetadata(keys=["a"])),
    ):
        assert answer.header.code == Code.FAILED_PRECONDITION
        assert "takes no metadata" in answer.header.messages[0]


def test_uploads_go_to_the_input_until_the_start(wire, office, job, listed, downloaded):
    job_id, payload = job
    assert wire.Payloads.Upload([payload.part("scan", b"1")]).header.code == 0
    assert wire.Payloads.Upload([payload.part("more", b"1")]).header.code == 0
    assert wire.Payloads.Remove(payload.Remove(name="input/more")).header.code == 0
    assert listed(payload) == {"/input/scan": 1}
    office.start(job_id)
    office.wait(job_id, jobs_pb2.JOB_STATE_RUNNING)
    wait_until(lambda: listed(payload).get("/operators/wait/copy"))
    refused = {
        "Upload": wire.Payloads.Upload([payload.part("scan", b"2")]),
        "Remove": wire.Payloads.Remove(payload.Remove(name="/input/scan")),
        "Delete": wire.Payloads.Delete(payload.Delete()),
    }
    assert {name: answer.header.code for name, answer in refused.items()} == dict.fromkeys(
        refused, Code.FAILED_PRECONDITION
    )
    assert "read-only" in refused["Upload"].header.messages[0]
    assert "cancel it first" in refused["Delete"].header.messages[0]
    office.cancel(job_id)
    office.wait(job_id)
    assert downloaded(payload, "./operators/wait/copy") == b"1"
    assert wire.Payloads.Upload([payload.part("scan", b"2")]).header.code == (
        Code.FAILED_PRECONDITION
    )
    assert wire.Payloads.Delete(payload.Delete()).header.code == 0
    assert wire.Payloads.Details(payload.Details())[0].header.code == Code.NOT_FOUND


def test_an_upload_that_goes_on_when_the_job_starts_is_not_kept(wire, office, job, listed):
    job_id, payload = job
    wire.Payloads.Upload([payload.part("scan", b"1")])

    def parts():
        yield payload.part("scan", b"2" * 1_000_000)
        office.start(job_id)
        yield payload.part("scan", b"2")

    assert wire.Payloads.Upload(parts()).header.code == Code.FAILED_PRECONDITION
    office.cancel(job_id)
    office.wait(job_id)
    assert listed(payload)["/input/scan"] == 1


def test_the_payload_of_a_job_that_was_canceled_before_its_start_says_so(wire, office, job):
    job_id, payload = job
    office.cancel(job_id)
    answer = wire.Payloads.Upload([payload.part("scan", b"1")])
    assert answer.header.code == Code.FAILED_PRECONDITION
    assert f"{job_id!r} was canceled" in answer.header.messages[0]


def test_a_reusable_payload_is_copied_and_goes_on_by_itself(wire, office, downloaded):
    reusable = Requests(wire.Payloads.Create().payload_id)
    wire.Payloads.Upload([reusable.part("deep/atlas", b"old")])
    created = office.try_create(office.pipeline(WAITING), (reusable.payload_id.value,))
    payload = Requests(created.payload_id)
    wire.Payloads.Upload([reusable.part("deep/atlas", b"new")])
    assert downloaded(payload, "/input/deep/atlas") == b"old"
    assert wire.Payloads.Delete(reusable.Delete()).header.code == 0
    assert downloaded(payload, "/input/deep/atlas") == b"old"


def test_a_job_has_all_files_of_a_payload_that_is_deleted_meanwhile_or_is_not_made(
    wire, office, listed
):
    pipeline = office.pipeline(WAITING)
    for _ in range(3):
        reusable = Requests(wire.Payloads.Create().payload_id)
        wire.Payloads.Upload([reusable.part(f"slice-{n}", b"1") for n in range(400)])
        with ThreadPoolExecutor(3) as pool:
            given = (reusable.payload_id.value,)
            created = [pool.submit(office.try_create, pipeline, given) for _ in range(2)]
            deleted = pool.submit(wire.Payloads.Delete, reusable.Delete())
        assert deleted.result().header.code == 0
        for answer in (each.result() for each in created):
            if answer.header.code == 0:
                assert len(listed(Requests(answer.payload_id))) == 400
            else:
                assert answer.header.code == Code.NOT_FOUND
