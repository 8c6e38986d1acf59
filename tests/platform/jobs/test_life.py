# SPDX-License-Identifier: Apache-2.0
"""A job over the wire, from its creation to its end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from clara_fastio.platform._proto import jobs_pb2
from clara_fastio.platform.wire.timestamps import EPOCH
from tests.platform.jobs.office import refused
from tests.platform.jobs.runs import shell

if TYPE_CHECKING:
    from tests.platform.jobs.office import Office

PENDING, RUNNING, STOPPED = 1, 2, 3
HEALTHY, FAULTED, CANCELED, EVICTED, TERMINATED = 1, 2, 3, 4, 5

DIAMOND = """
    api-version: 1.0.0
    name: diamond
    parameters: {WORD: hello}
    operators:
    - name: split
      container: {image: demo/split, command: [sh, -c, "cat /input/* > /out/all; echo ${{WORD}}"]}
      input: [{path: /input, name: in, type: stream, element-type: any}]
      output: [{path: /out, name: out, type: stream, element-type: any}]
    - name: left
      container: {image: demo/left, command: [sh, -c, "rev /in/all > /out/left"]}
      input: [{from: split, name: out, path: /in, type: stream, element-type: any}]
      output: [{path: /out, name: out, type: stream, element-type: any}]
    - name: right
      container: {image: demo/right, command: [sh, -c, "true"]}
      after: [split]
    - name: join
      container: {image: demo/join, command: [sh, -c, "cat /in/left"]}
      input: [{from: left, name: out, path: /in, type: stream, element-type: any}]
      after: [right]
    """


def test_a_whole_job(office: Office) -> None:
    before = int(time.time()) + EPOCH
    pipeline = office.pipeline(DIAMOND)
    created = office.try_create(pipeline, name="night shift", metadata={"Source": "test"})
    job_id, payload_id = created.job_id.value, created.payload_id.value

    status = office.status(job_id)
    assert (status.state, status.status, status.priority) == (PENDING, HEALTHY, 2)
    assert (status.name, status.pipeline_id.value) == ("night shift", pipeline)
    assert status.payload_id.value == payload_id
    assert dict(status.metadata) == {"Source": "test"}
    assert (status.started.value, status.stopped.value, status.timestamp_started) == (0, 0, "")
    assert [each.status for each in status.operator_details] == [1, 1, 1, 1]

    office.upload(payload_id, scan="voxels")
    answer = office.start(job_id, {"WORD": "goodbye"})
    assert (answer.state, answer.status, answer.priority) == (RUNNING, HEALTHY, 2)

    status = office.wait(job_id)
    assert (status.state, status.status, list(status.messages)) == (STOPPED, HEALTHY, [])
    assert before <= status.created.value <= status.started.value <= status.stopped.value
    assert status.timestamp_stopped.endswith("Z")
    assert [each.name for each in status.operator_details] == ["split", "left", "right", "join"]
    for each in status.operator_details:
        assert each.status == jobs_pb2.JOB_OPERATOR_STATUS_COMPLETED
        assert before <= each.created.value <= each.started.value <= each.stopped.value
    assert office.log(job_id, "split") == ["goodbye"]
    assert office.log(job_id, "join") == ["slexov"]
    assert office.download(payload_id, "operators/left/out/left") == "slexov"


def test_the_graph_has_both_kinds_of_dependencies(office: Office) -> None:
    job_id = office.create(office.pipeline(DIAMOND))
    found = {
        node.name: (
            [each.name for each in node.input_dependencies],
            [each.name for each in node.order_dependencies],
        )
        for node in office.status(job_id).dag
    }
    assert found == {
        "split": ([], []),
        "left": (["split"], []),
        "right": ([], ["split"]),
        "join": (["left"], ["right"]),
    }


def test_a_failed_operator_faults_its_job(office: Office) -> None:
    status = office.run(shell("echo the last words; exit 3"))
    assert (status.state, status.status) == (STOPPED, FAULTED)
    assert "operator 'only' failed" in status.messages[0]
    assert "code 3" in status.messages[0]
    assert status.messages[1] == "the last words"
    assert status.operator_details[0].status == jobs_pb2.JOB_OPERATOR_STATUS_FAULTED


def test_the_name_is_the_pipelines_if_there_is_none(office: Office) -> None:
    assert office.status(office.create(office.pipeline(shell("true")))).name == "one"


@pytest.mark.parametrize(("given", "found"), [(0, 2), (1, 1), (4, 4)])
def test_priorities(office: Office, given: int, found: int) -> None:
    job_id = office.create(office.pipeline(shell("true")), priority=given)
    assert office.status(job_id).priority == found
    assert office.start(job_id).priority == found


def test_an_unknown_priority_is_refused(office: Office) -> None:
    pipeline = office.pipeline(shell("true"))
    assert "7 is no priority" in refused(office.try_create(pipeline, priority=7), -3)


def test_a_job_keeps_the_definition_it_was_created_with(office: Office) -> None:
    from clara_fastio.platform._proto import common_pb2, pipelines_pb2

    pipeline = office.pipeline(shell("echo first"))
    job_id = office.create(pipeline)
    office.wire.Pipelines.Remove(
        pipelines_pb2.PipelinesRemoveRequest(pipeline_id=common_pb2.Identifier(value=pipeline))
    )
    office.start(job_id)
    assert office.wait(job_id).status == HEALTHY
    assert office.log(job_id, "only") == ["first"]


def test_input_payloads_are_copied_into_the_input(office: Office) -> None:
    one, two = office.reusable(a="1"), office.reusable(b="2")
    definition = """
        api-version: 0.4.0
        name: reading
        operators:
        - name: read
          container: {image: demo/read, command: [sh, -c, "cat /input/*"]}
          input: [{path: /input}]
        """
    job_id = office.create(office.pipeline(definition), input_payloads=(one, two))
    office.start(job_id)
    assert office.wait(job_id).status == HEALTHY
    assert office.log(job_id, "read") == ["12"]


def test_input_payloads_must_be_reusable_and_differ(office: Office) -> None:
    pipeline = office.pipeline(shell("true"))
    one, two = office.reusable(a="1"), office.reusable(a="2")
    assert "'/a'" in refused(office.try_create(pipeline, (one, two)), -6)
    own = office.try_create(pipeline).payload_id.value
    assert "belongs to a job" in refused(office.try_create(pipeline, (own,)), -3)
    refused(office.try_create(pipeline, ("0" * 32,)), -5)


def test_metadata_keys_that_differ_by_case_make_no_job(office: Office) -> None:
    pipeline = office.pipeline(shell("true"))
    answer = office.try_create(pipeline, metadata={"Source": "a", "source": "b"})
    assert "without case" in refused(answer, -6)
    assert (
        office.list(
            pipeline_id=[jobs_pb2.JobsCreateRequest(pipeline_id={"value": pipeline}).pipeline_id]
        )
        == []
    )


def test_a_name_that_cannot_be_handed_on_is_refused(office: Office) -> None:
    pipeline = office.pipeline(shell("true"))
    refused(office.try_create(pipeline, name="a\0b"), -3)
    refused(office.try_create(pipeline, name="n" * 300), -3)


def test_unknown_ids_are_not_found(office: Office) -> None:
    absent = "f" * 32
    refused(office.try_create(absent), -5)
    refused(office.try_start(absent), -5)
    for rpc in ("Status", "Cancel", "AddMetadata", "RemoveMetadata"):
        request = getattr(jobs_pb2, f"Jobs{rpc}Request")(job_id={"value": absent})
        assert absent in refused(getattr(office.wire.Jobs, rpc)(request), -5)
        request = getattr(jobs_pb2, f"Jobs{rpc}Request")()
        assert "no job id" in refused(getattr(office.wire.Jobs, rpc)(request), -3)
    refused(office.try_log(absent, "x")[0], -5)
