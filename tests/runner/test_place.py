# SPDX-License-Identifier: Apache-2.0
"""A run that works in folders which somebody else keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clara_fastio.runner import Place, RunStatus

if TYPE_CHECKING:
    from pathlib import Path

    from tests.helpers.workshop import Workshop

COPY = """
    api-version: 0.4.0
    name: copying
    operators:
    - name: copy
      container: {image: demo/copy, command: <copy>}
      input: [{path: /input}]
      output: [{path: /output}]
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    payload, logs, scratch = (tmp_path / name for name in ("payload", "logs", "scratch"))
    for folder in (payload, payload / "input", logs, scratch):
        folder.mkdir()
    (payload / "input" / "scan").write_text("voxels")
    return Place(job_id="7" * 32, job_name="night", payload=payload, logs=logs, scratch=scratch)


def test_results_and_logs_stay_in_the_given_folders(workshop: Workshop, place: Place) -> None:
    workshop.shell(
        "copy",
        'cp "${NVIDIA_CLARA_INPUTPATHS#*:}/scan" "${NVIDIA_CLARA_OUTPUTPATHS#*:}/copied"; '
        "echo $NVIDIA_CLARA_JOBID $NVIDIA_CLARA_JOBNAME",
    )
    result = workshop.run(COPY, place=place)
    assert (result.status, result.directory) == (RunStatus.SUCCEEDED, None)
    assert (place.payload / "operators" / "copy" / "copied").read_text() == "voxels"
    assert (place.logs / "copy.log").read_text() == f"{'7' * 32} night\n"
    assert sorted(path.name for path in place.payload.iterdir()) == ["input", "operators"]


def test_a_failed_run_leaves_the_given_folders(workshop: Workshop, place: Place) -> None:
    workshop.shell("copy", "echo torn > ${NVIDIA_CLARA_OUTPUTPATHS#*:}/half; exit 3")
    assert workshop.run(COPY, place=place).status is RunStatus.FAILED
    assert (place.payload / "operators" / "copy" / "half").read_text() == "torn\n"
    assert (place.payload / "input" / "scan").exists()
