# SPDX-License-Identifier: Apache-2.0
"""What Jobs.Start accepts, refuses and answers when it is repeated."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from clara_fastio.platform._proto import jobs_pb2, payloads_pb2
from tests.platform.jobs.office import Office, good, refused
from tests.platform.jobs.runs import shell
from tests.platform.serving import Wire

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.platform.serving import ServerProgram

PENDING, RUNNING, STOPPED = 1, 2, 3
HEALTHY, FAULTED, CANCELED = 1, 2, 3

WITH_PARAMETERS = """
    api-version: 0.4.0
    name: saying
    parameters: {WORD: hello, OTHER: there}
    operators:
    - name: say
      container: {image: demo/say, command: [echo, "${{WORD}} ${{OTHER}}"]}
    """


def test_variables_fill_the_parameters(office: Office) -> None:
    job_id = office.create(office.pipeline(WITH_PARAMETERS))
    office.start(job_id, {"word": "good $(night)"})
    assert office.wait(job_id).status == HEALTHY
    assert office.log(job_id, "say") == ["good $(night) there"]


def test_wrong_variables_leave_the_job_as_it_is(office: Office) -> None:
    job_id = office.create(office.pipeline(WITH_PARAMETERS))
    assert "WORM" in refused(office.try_start(job_id, {"WORM": "x"}), -3)
    assert "given twice" in refused(office.try_start(job_id, {"WORD": "x", "word": "y"}), -3)
    refused(office.try_start(job_id, {"WORD": "a\0b"}), -3)
    assert office.status(job_id).state == PENDING
    office.start(job_id, {"WORD": "right"})
    assert office.wait(job_id).status == HEALTHY


def test_a_repeated_start_is_answered_and_changes_nothing(office: Office) -> None:
    job_id = office.create(office.pipeline(shell("sleep 0.5; echo once")))
    first = office.start(job_id)
    again = office.start(job_id)
    assert (first.state, again.state) == (RUNNING, RUNNING)
    assert "other variables" in refused(office.try_start(job_id, {"A": "b"}), -9)
    office.wait(job_id)
    assert office.log(job_id, "only") == ["once"]


def test_a_stopped_job_does_not_start_again(office: Office) -> None:
    job_id = office.create(office.pipeline(shell("true")))
    office.start(job_id)
    office.wait(job_id)
    assert "cannot start again" in refused(office.try_start(job_id), -9)


def test_a_started_job_has_a_read_only_payload(office: Office) -> None:
    created = good(office.try_create(office.pipeline(shell("true"))))
    office.start(created.job_id.value)
    office.wait(created.job_id.value)
    upload = payloads_pb2.PayloadsUploadRequest(
        payload_id=created.payload_id,
        details=payloads_pb2.PayloadFileDetails(name="late"),
        data=b"x",
    )
    assert "read-only" in refused(office.wire.Payloads.Upload([upload]), -9)


def test_a_job_without_its_payload_does_not_start(office: Office) -> None:
    created = good(office.try_create(office.pipeline(shell("true"))))
    request = payloads_pb2.PayloadsDeleteRequest(payload_id=created.payload_id)
    good(office.wire.Payloads.Delete(request))
    said = refused(office.try_start(created.job_id.value), -5)
    assert f"payload '{created.payload_id.value}'" in said
    assert "was deleted; create a new job" in said
    assert office.status(created.job_id.value).state == PENDING


def test_more_memory_or_gpus_than_there_are_are_refused(office: Office) -> None:
    for text, code in (("memory: 999999999", -8), ("gpu: 4000", -9)):
        definition = f"""
            api-version: 0.4.0
            name: greedy
            operators:
            - name: only
              container: {{image: demo/only, command: ["true"]}}
              requests: {{{text}}}
            """
        job_id = office.create(office.pipeline(definition))
        assert "the server has" in refused(office.try_start(job_id), code)
        assert office.status(job_id).state == PENDING


@pytest.fixture
def guarded(serve: Callable[..., ServerProgram], tmp_path: Path) -> Office:
    """A server that runs two images, of which one has a command of its own."""
    images = tmp_path / "images.yaml"
    images.write_text(
        f"images:\n  demo/echo:2: {{command: [{sys.executable}, -c, 'import sys; "
        "print(sys.argv[1:])'], environment: {LEVEL: '3'}}\n  demo/shell: {}\n"
    )
    return Office(Wire(serve("--images", str(images)).connect()))


def one(image: str, command: str) -> str:
    return f"""
        api-version: 0.4.0
        name: one
        operators:
        - name: only
          container: {{image: "{image}"{command}}}
        """


def test_only_registered_images_run(guarded: Office) -> None:
    status = guarded.run(one("demo/echo", ", tag: '2', command: [a, b]"))
    assert (status.status, list(status.messages)) == (HEALTHY, [])
    assert guarded.log(status.job_id.value, "only") == ["['a', 'b']"]
    assert guarded.run(one("demo/shell", ', command: ["true"]')).status == HEALTHY

    job_id = guarded.create(guarded.pipeline(one("demo/echo", ', command: ["true"]')))
    answer = guarded.start(job_id)
    assert (answer.state, answer.status) == (STOPPED, FAULTED)
    status = guarded.status(job_id)
    assert "'demo/echo:latest' is not registered" in status.messages[0]
    assert status.stopped.value > 0
    guarded.wire.channel.close()


def test_any_command_runs_where_that_is_allowed(office: Office) -> None:
    status = office.run(one("demo/unknown", ""))
    assert (status.state, status.status) == (STOPPED, FAULTED)
    assert "nothing is known to run" in status.messages[0]


def test_operators_get_the_jobs_name_and_id(office: Office) -> None:
    status = office.run(
        shell("echo $NVIDIA_CLARA_JOBID $NVIDIA_CLARA_JOBNAME $NVIDIA_CLARA_STAGETIMEOUT"),
        name="night shift",
    )
    job_id = status.job_id.value
    assert office.log(job_id, "only") == [f"{job_id} night shift 600"]


def test_metadata(office: Office) -> None:
    job_id = office.create(office.pipeline(shell("true")), metadata={"Source": "a"})
    assert dict(office.status(job_id).metadata) == {"Source": "a"}
    named = {"job_id": {"value": job_id}}
    add = office.wire.Jobs.AddMetadata
    answer = good(add(jobs_pb2.JobsAddMetadataRequest(metadata={"Tag": "1"}, **named)))
    assert dict(answer.metadata) == {"Source": "a", "Tag": "1"}
    assert dict(office.status(job_id).metadata) == {"Source": "a", "Tag": "1"}
    refused(add(jobs_pb2.JobsAddMetadataRequest(metadata={"SOURCE": "b", "C": "d"}, **named)), -6)
    refused(add(jobs_pb2.JobsAddMetadataRequest(metadata={"k" * 129: ""}, **named)), -3)
    answer = good(
        office.wire.Jobs.RemoveMetadata(
            jobs_pb2.JobsRemoveMetadataRequest(keys=["TAG", "absent"], **named)
        )
    )
    assert dict(answer.metadata) == {"Source": "a"}
    assert dict(office.status(job_id).metadata) == {"Source": "a"}
