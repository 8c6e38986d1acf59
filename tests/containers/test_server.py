# SPDX-License-Identifier: Apache-2.0
"""A job of the platform server whose operators run in containers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clara_fastio.platform import Client, JobStatus
from tests.containers.prepare import IMAGE
from tests.platform.serving import ServerProgram

if TYPE_CHECKING:
    from pathlib import Path

    from tests.containers.conftest import ContainerWorkshop

TEXT = f"""
api-version: 0.4.0
name: loud
operators:
- name: shout
  container: {{image: {IMAGE}, command: [sh, -c, "tr a-z A-Z < /in/scan > /out/loud; hostname"]}}
  input: [{{path: /in}}]
  output: [{{name: copies, path: /out}}]
"""


def test_a_job_runs_in_a_container(workshop: ContainerWorkshop, tmp_path: Path) -> None:
    options = ("--allow-any-command", "--runtime", workshop.engine)
    server = ServerProgram(tmp_path / "root", *options)
    try:
        with Client(server.address) as client:
            pipeline = client.pipelines.create({"pipeline.yaml": TEXT})
            job = client.jobs.create(pipeline, "in a container")
            (tmp_path / "scan").write_text("a scan\n")
            client.payloads.upload(job.payload_id, tmp_path / "scan")
            client.jobs.start(job.id)
            status = client.jobs.wait(job.id, timeout=50)
            assert status.status is JobStatus.HEALTHY, status.messages
            client.payloads.download(job.payload_id, tmp_path / "results")
    finally:
        server.stop()
    found = list((tmp_path / "results").rglob("loud"))
    assert [path.read_text() for path in found] == ["A SCAN\n"]
