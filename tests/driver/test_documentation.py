# SPDX-License-Identifier: Apache-2.0
"""The programs of the page on drivers do what it says."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from pathlib import Path

import numpy as np
import pytest

from clara_fastio import driver
from clara_fastio.driver.callbacks import ALIASES
from tests.driver.job import declare

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "driver.md").read_text()
PROGRAMS = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE, re.DOTALL))

OUTPUTS = {
    "count.py": "scan 1 files\n",
    "stages.py": "True {'found': [False, True]}\n",
    "threshold.py": "version 1 of (2, 4, 4)\n",
    "notified.py": """\
state SUCCESS phase waiting
state SUCCESS phase execute
error EXECUTE_FAILED the execute handler returned False
state SUCCESS phase cleanup
state SUCCESS phase completed
""",
    "original.py": """\
scan {scan}
float32 [8, 8] 96.0
[-1, 4] True [0]
[2, 4] 32
""",
}


@pytest.fixture
def environment(tmp_path):
    np.save(tmp_path / "volume.npy", np.arange(32).reshape(2, 4, 4))
    entries = [declare("mask", "uint8", [-1, 4, 4]), declare("boxes", "float32", [-1, 4])]
    return {
        "NVIDIA_CLARA_INPUTPATHS": f"scan:{tmp_path}",
        "CLARA_FASTIO_OUTPUTS": json.dumps(entries),
    }


def test_every_program_of_the_page_is_run() -> None:
    assert PROGRAMS.keys() == {*OUTPUTS, "status.py", "camera.py", "double.py"}
    assert PAGE.count("```python") == len(PROGRAMS)


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_program_prints_what_the_page_says(run_program, environment, tmp_path, name) -> None:
    program = run_program(PROGRAMS[name], environment=environment)
    assert program.finish() == OUTPUTS[name].replace("{scan}", str(tmp_path))


def test_programs_hand_each_other_frames(job) -> None:
    frames = declare("frames", "uint8", [4], "camera/frames", queue={"depth": 2})
    doubled = declare("doubled", "uint8", [4], "double/doubled", queue={"depth": 2})
    job.declare(frames, producer="camera").reserve("double/frames", role="double")
    results = job.declare(doubled, producer="double").frames(name="test")
    edge = {"name": "double/frames", "policy": "block", "is_shared": False, "deadline": None}
    taken = {**frames, "queue": None, "edge": edge}
    double = job.start("double", PROGRAMS["double.py"], inputs=[taken], outputs=[doubled])
    camera = job.start("camera", PROGRAMS["camera.py"], outputs=[frames])
    assert [frame.array.tolist() for frame in results] == [[2 * n] * 4 for n in range(5)]
    assert camera.wait() == 0
    assert double.finish() == "5 frames\n"


def test_a_program_may_end_with_a_status_of_its_own(run_program) -> None:
    program = run_program(PROGRAMS["status.py"])
    program.expect("the execute handler raised ValueError: no slices | ValueError('no slices')")
    assert program.wait() == 1


def test_the_page_names_every_property_and_keyword() -> None:
    public = {
        name
        for name, value in inspect.getmembers(driver.Driver)
        if isinstance(value, property) and not name.startswith("_")
    }
    fields = {field.name for field in dataclasses.fields(driver.Notification)}
    missing = {name for name in public | fields | set(ALIASES) if f"`{name}`" not in PAGE}
    assert missing <= {"application_data"}
    assert "driver.application_data" in PAGE
