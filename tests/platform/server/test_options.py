# SPDX-License-Identifier: Apache-2.0
"""Options of the server out of a file, and the log that programs read."""

from __future__ import annotations

import json

import pytest

from clara_fastio.platform._proto import jobs_pb2
from tests.platform.server.test_metrics import create_and_start, wait_until_stopped
from tests.platform.serving import Wire


def test_options_come_from_a_file_and_the_command_line_goes_first(serve, tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text("read 0123456789abcdef\n")
    tokens.chmod(0o600)
    config = tmp_path / "server.yaml"
    config.write_text(f"host: 127.0.0.1\nport: 1\ntokens: {tokens}\nallow-any-command: true\n")
    server = serve("--config", str(config))
    assert not server.address.endswith(":1")
    with server.connect() as channel:
        assert Wire(channel).Pipelines.List()[0].header.code == -16


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("port: [", "cannot be read"),
        ("[1, 2]", "holds no options, but list"),
        ("porto: 1", "the unknown option 'porto'"),
        ("timeout-default: 0", "--timeout-default is 0.0; it has to be more than 0 seconds"),
        ("slots: many", "Invalid value for '--slots'"),
    ],
)
def test_a_file_that_is_wrong_is_refused(serve, tmp_path, text, message):
    config = tmp_path / "server.yaml"
    config.write_text(text)
    with pytest.raises(RuntimeError) as caught:
        serve("--config", str(config))
    assert message in " ".join(str(caught.value).replace("\\n", " ").split())


def test_the_log_is_an_object_per_line_that_names_job_and_operator(serve):
    server = serve("--allow-any-command", "--log-format", "json")
    with server.connect() as channel:
        wire = Wire(channel)
        job = create_and_start(wire).job_id
        assert wait_until_stopped(wire, job).status == jobs_pb2.JOB_STATUS_HEALTHY
    lines = [json.loads(line) for line in server.stop().splitlines()]
    about = [line for line in lines if line.get("job") == job.value]
    assert [line["level"] for line in about] == ["info"] * len(about)
    assert about[-1]["message"].endswith("HEALTHY")
    assert {"only", "next"} <= {line.get("operator") for line in about}


def test_a_job_that_requests_more_memory_than_allowed_is_refused(serve):
    server = serve("--allow-any-command", "--memory", "100")
    with server.connect() as channel:
        wire = Wire(channel)
        job = create_and_start(wire)
        answer = wire.Jobs.Start(jobs_pb2.JobsStartRequest(job_id=job.job_id))
    assert answer.header.code == -8
