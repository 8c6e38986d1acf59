# SPDX-License-Identifier: Apache-2.0
"""JobsClient of the published package."""

from __future__ import annotations

import time

import pytest

from tests.platform.client.definitions import SHOUT, SLEEP
from tests.platform.original_client.conftest import OriginalClientError

pytestmark = pytest.mark.timeout(300)

PENDING, RUNNING, STOPPED = 1, 2, 3
HEALTHY, FAULTED, CANCELED = 1, 2, 3
NORMAL, HIGHER = 2, 3
COMPLETED = 3
EPOCH = 62_135_596_800


@pytest.fixture(scope="module")
def shouting(original):
    return original.pipelines.create([["main.yaml", SHOUT]])


@pytest.fixture(scope="module")
def sleeping(original):
    return original.pipelines.create([["main.yaml", SLEEP]])


def test_the_flow_of_the_published_example(original, tmp_path):
    pipeline = original.pipelines.create([["../shouting.yaml", SHOUT]])
    job, payload = original.jobs.create(pipeline, "shouting job")
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(name)
        original.payloads.upload(payload, name, str(tmp_path / name))
    assert original.jobs.list_all() == []  # Without a filter: those that run.
    state, status, priority = original.jobs.start(job)
    assert (status, priority) == (HEALTHY, NORMAL)
    assert state in {PENDING, RUNNING}
    assert original.jobs.poll(job) > 0
    names = [name for name, _, _ in original.payloads.details(payload)["files"]]
    results = [name for name in names if name.split("/")[1] == "operators"]
    assert results == ["/operators/repeat/two", "/operators/shout/loud"]
    for name in results:
        target = tmp_path / name.rpartition("/")[2]
        original.payloads.download(payload, f".{name}", str(target))
    assert (tmp_path / "loud").read_text() == "A.TXTB.TXT"
    assert original.jobs.logs(job, "shout") == ["hello"]


def test_a_job_is_described_from_its_creation_to_its_end(original, shouting):
    job, payload = original.jobs.create(
        shouting, "described", priority="Higher", metadata={"Source": "scanner"}
    )
    before = original.jobs.status(job)
    assert (before["id"], before["payload"], before["pipeline"]) == (job, payload, shouting)
    assert (before["state"], before["status"]) == (PENDING, HEALTHY)
    assert (before["name"], before["priority"]) == ("described", HIGHER)
    assert abs(before["created"] - time.time()) < 300
    assert before["started"] is before["stopped"] is None
    assert before["metadata"] == {"Source": "scanner"}
    original.payloads.upload_text(payload, "words", "x")
    original.jobs.start(job, {"word": "hark"})
    original.jobs.poll(job)
    after = original.jobs.status(job)
    assert (after["state"], after["status"], after["messages"]) == (STOPPED, HEALTHY, [])
    assert after["created"] <= after["started"] <= after["stopped"]
    assert list(after["operators"]) == ["shout", "repeat"]
    for status, *times in after["operators"].values():
        assert status == COMPLETED
        assert times == sorted(times)
        assert abs(times[0] - EPOCH - time.time()) < 300
    assert original.jobs.logs(job, "shout") == ["hark"]
    assert any("succeeded" in line for line in original.jobs.logs(job, "clara-pod-manager"))


def test_files_of_reusable_payloads_are_the_input(original, shouting):
    reusable, _ = original.payloads.create()
    original.payloads.upload_text(reusable, "words", "abc")
    _, payload = original.jobs.create(shouting, "filled", payloads=[reusable])
    assert original.payloads.download_text(payload, "./input/words") == "abc"


def test_a_started_job_s_payload_is_read_only(original, shouting):
    job, payload = original.jobs.create(shouting, "closed")
    original.payloads.upload_text(payload, "words", "x")
    original.jobs.start(job)
    for refused in (
        lambda: original.payloads.upload_text(payload, "late", "x"),
        lambda: original.payloads.remove(payload, "input/words"),
    ):
        with pytest.raises(OriginalClientError):
            refused()
    original.jobs.poll(job)


def test_a_failed_job_says_why(original):
    text = SHOUT.replace("cat /input/* |", "echo no idea; exit 3 #")
    job, _ = original.jobs.create(original.pipelines.create([["main.yaml", text]]), "failing")
    original.jobs.start(job)
    original.jobs.poll(job)
    found = original.jobs.status(job)
    assert (found["state"], found["status"]) == (STOPPED, FAULTED)
    assert "'shout'" in found["messages"][0]


def test_pending_running_and_stopped_jobs_are_canceled(original, sleeping):
    pending, _ = original.jobs.create(sleeping, "pending")
    assert original.jobs.cancel(pending, "no room") == [pending, STOPPED, CANCELED]
    running, _ = original.jobs.create(sleeping, "running")
    original.jobs.start(running)
    while original.jobs.status(running)["state"] != RUNNING:
        pass
    listed = original.jobs.list_all()
    assert [each["id"] for each in listed] == [running]
    original.jobs.cancel(running)
    original.jobs.poll(running)
    assert original.jobs.status(running)["status"] == CANCELED
    assert original.jobs.cancel(running) == [running, STOPPED, CANCELED]


def test_calls_that_arrive_twice_do_no_harm(original, sleeping):
    job, _ = original.jobs.create(sleeping, "twice")
    first = original.jobs.start(job)
    assert original.jobs.start(job)[1:] == first[1:]
    original.jobs.cancel(job)
    original.jobs.poll(job)
    with pytest.raises(OriginalClientError):
        original.jobs.start(job)


def test_filters_are_understood(original):
    pipeline = original.pipelines.create([["main.yaml", SHOUT]])
    one, two = (original.jobs.create(pipeline, name)[0] for name in ("one", "two"))
    original.jobs.cancel(two)
    now = time.time()
    for fields, expected in (
        ({}, [one, two]),
        ({"states": ["Pending"]}, [one]),
        ({"states": ["Pending", "Stopped"]}, [one, two]),
        ({"statuses": ["Canceled"]}, [two]),
        ({"completed_before": now + 3600}, [two]),
        ({"completed_before": now - 3600}, []),
        ({"created_after": now - 3600}, [one, two]),
        ({"created_after": now + 3600}, []),
        ({"created_after": now - 3600, "statuses": ["Healthy"]}, [one]),
    ):
        for listing in (original.jobs.list_all, original.jobs.stream):
            found = listing({**fields, "pipelines": [pipeline]})
            assert [each["id"] for each in found] == expected, fields
    (found,) = original.jobs.list_all({"pipelines": [pipeline], "states": ["Stopped"]})
    assert (found["name"], found["status"], found["pipeline"]) == ("two", CANCELED, pipeline)


def test_a_filter_object_without_fields_is_not_sent_and_gives_running_jobs(original, shouting):
    original.jobs.create(shouting, "pending")
    assert original.jobs.list_all({}) == original.jobs.list_all() == []


def test_metadata_calls_have_no_header_and_work(original, shouting):
    job, _ = original.jobs.create(shouting, "noted")
    tags = {"Source": "scanner", "00100010": "x" * 256, "00100010-0": "y"}
    assert original.jobs.add_metadata(job, tags) == tags
    assert original.jobs.remove_metadata(job, ["source", "absent"]) == {
        name: tags[name] for name in ("00100010", "00100010-0")
    }


def test_unknown_things_are_named(original, shouting):
    nobody = "0" * 32
    job, _ = original.jobs.create(shouting, "known")
    for wrong in (
        lambda: original.jobs.status(nobody),
        lambda: original.jobs.start(nobody),
        lambda: original.jobs.cancel(nobody),
        lambda: original.jobs.create(nobody, "x"),
    ):
        with pytest.raises(OriginalClientError, match=nobody):
            wrong()
    # The client looks at no header of a log: what is wrong comes back as no line at all.
    assert original.jobs.logs(job, "nobody") == []


def test_a_client_is_closed_and_opened_again(original):
    assert original.jobs.reconnected() == 0
