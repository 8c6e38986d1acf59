# SPDX-License-Identifier: Apache-2.0
"""The page that Prometheus reads."""

from __future__ import annotations

import json
import socket
import time
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from clara_fastio.platform._proto import common_pb2, jobs_pb2, pipelines_pb2
from tests.platform.serving import Wire

TEXT = """\
api-version: 0.4.0
name: sleeping
operators:
- name: only
  container: {image: none, command: [sh, -c, "echo data > /out/file; sleep 0.5"]}
  output: [{path: /out}]
- name: next
  container: {image: none, command: ["true"]}
  input: [{from: only, path: /in}]
"""


DRIVER = """
from clara_fastio import Driver
driver = Driver(execute_handler=lambda driver, payload: [None for _ in payload.BODY])
driver.start()
driver.wait_for_completion()
"""
MAKE = DRIVER.replace("BODY", "outputs['x'].frames(30)")
TAKE = DRIVER.replace("BODY", "inputs['x'].frames()")
X = {"name": "x", "type": "array", "element-type": "u8", "shape": [4]}
STREAMING = {
    "api-version": "1.0.0",
    "name": "streaming",
    "operators": [
        {
            "name": "camera",
            "container": {"image": "none", "command": ["python", "-c", MAKE]},
            "output": [{**X, "queue": {"depth": 2}}],
        },
        {
            "name": "all",
            "container": {"image": "none", "command": ["python", "-c", TAKE]},
            "input": [{"from": "camera", **X}],
        },
        {
            "name": "last",
            "after": ["camera"],
            "container": {"image": "none", "command": ["python", "-c", TAKE]},
            "input": [{"from": "camera", **X, "policy": "latest"}],
        },
    ],
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def scrape(serve):
    """Serve, and give a client and a way to read the metrics."""
    port = free_port()
    server = serve("--allow-any-command", "--metrics-port", str(port))

    def read():
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
            families = text_string_to_metric_families(page.read().decode())
            return {
                (sample.name, *sorted(sample.labels.values())): sample.value
                for family in families
                for sample in family.samples
            }

    with server.connect() as channel:
        yield Wire(channel), read


def create_and_start(wire, text=TEXT):
    definition = pipelines_pb2.PipelineDefinitionFile(content=text)
    pipeline = wire.Pipelines.Create([pipelines_pb2.PipelinesCreateRequest(definition=definition)])
    request = jobs_pb2.JobsCreateRequest(pipeline_id=pipeline.pipeline_id, name="a")
    job = wire.Jobs.Create(request)
    wire.Jobs.Start(jobs_pb2.JobsStartRequest(job_id=job.job_id))
    return job


def wait_until_stopped(wire, job_id):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        status = wire.Jobs.Status(jobs_pb2.JobsStatusRequest(job_id=job_id))
        if status.state == jobs_pb2.JOB_STATE_STOPPED:
            return status
        time.sleep(0.05)
    raise AssertionError("the job did not stop")


def test_calls_are_counted_by_their_answer(scrape):
    wire, read = scrape
    wire.Pipelines.List()
    absent = common_pb2.Identifier(value="0" * 32)
    wire.Jobs.Status(jobs_pb2.JobsStatusRequest(job_id=absent))
    found = read()
    assert found["clara_calls_total", "List", "OK", "Pipelines"] == 1
    assert found["clara_calls_total", "Jobs", "NOT_FOUND", "Status"] == 1
    assert found["clara_call_seconds_count", "List", "Pipelines"] == 1


def test_a_job_is_seen_while_it_runs_and_counted_when_it_stops(scrape):
    wire, read = scrape
    job = create_and_start(wire)
    running = read()
    assert running["clara_jobs_running",] == 1
    assert sum(value for key, value in running.items() if key[0] == "clara_operators") == 2
    assert wait_until_stopped(wire, job.job_id).status == jobs_pb2.JOB_STATUS_HEALTHY
    found = read()
    assert found["clara_jobs_running",] == 0
    assert found["clara_jobs_total", "HEALTHY"] == 1
    assert found["clara_job_seconds_sum", "HEALTHY"] >= 0.5
    assert found["clara_edge_bytes_total", "disk"] == 5


def test_frames_are_counted_by_their_fate_and_losses_are_told(scrape):
    wire, read = scrape
    job = create_and_start(wire, json.dumps(STREAMING))
    status = wait_until_stopped(wire, job.job_id)
    assert status.status == jobs_pb2.JOB_STATUS_HEALTHY, status.messages
    assert list(status.messages) == [
        "camera.x to last: of 30 frames 29 dropped by its policy latest"
    ]
    found = read()
    assert found["clara_frames_total", "accepted"] == 60
    assert found["clara_frames_total", "taken"] == 31
    assert found["clara_frames_total", "dropped"] == 29
    assert found["clara_frames_total", "lost"] == 0
    assert found["clara_edge_bytes_total", "stream"] == 31 * 4


def test_a_metrics_port_that_is_taken_is_named(serve):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(RuntimeError, match="the metrics cannot be served on"):
            serve("--metrics-port", str(taken.getsockname()[1]))
