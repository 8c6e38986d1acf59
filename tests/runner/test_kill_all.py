# SPDX-License-Identifier: Apache-2.0
"""Every process of a running job killed at once, at random moments."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.helpers import leaks
from tests.helpers.names import unique_name
from tests.helpers.workshop import CLARA

if TYPE_CHECKING:
    from tests.helpers.workshop import Workshop

#: Seconds in which a job of this test starts, works and delivers.
_LIFE = 1.5

WORK = """
    import numpy as np
    from clara_fastio import Driver

    def execute(driver, payload):
        for name, volume in payload.outputs.items():
            if name == "volume":
                volume.update_shape((64, 64, 64))
                volume.allocate()
                with volume.map("w") as array:
                    array[...] = 1
            else:
                (volume / "file").write_bytes(bytes(1_000_000))

    driver = Driver(execute_handler=execute)
    driver.start()
    driver.wait_for_completion()
"""
DEFINITION = """
    api-version: 0.5.0
    name: {name}
    operators:
    - name: make
      container: {{image: a, command: <work>}}
      output:
      - {{name: volume, type: array, element-type: float32, shape: [-1, 64, 64]}}
    - name: save
      container: {{image: a, command: <work>}}
      input: [{{from: make, name: volume, type: array, element-type: float32, shape: [-1, 64, 64]}}]
      output: [{{name: files, type: stream, element-type: bytes, path: /out}}]
    - name: look
      container: {{image: a, command: <look>}}
      input: [{{from: save, name: files, type: stream, element-type: bytes, path: /in}}]
"""


def processes_with(variable: str) -> list[int]:
    """List the processes that have ``NAME=value`` in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if variable.encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def kill_all(variable: str) -> None:
    """Kill them until there are none; whoever is being started meanwhile is found next time."""
    while pids := processes_with(variable):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.slow
def test_nothing_is_left_and_the_next_start_works(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, rounds: int
) -> None:
    state, temporary = workshop.folder / "state", workshop.folder / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    workshop.program("work", WORK)
    workshop.shell("look", "ls -l /in; (setsid sleep 1000 &)")
    name = unique_name("job")
    run = [*CLARA, "run", str(workshop.define(DEFINITION.format(name=name)))]
    shared = {path.name for path in Path("/dev/shm").iterdir()}
    died_at_work = 0
    for number in range(max(rounds // 10, 2)):
        output = [] if number % 2 else ["-o", str(workshop.output), "--overwrite"]
        process = subprocess.Popen([*run, *output], stdout=subprocess.DEVNULL)
        # Not to synchronise: any moment is to be hit, the first time surely before the end.
        time.sleep(random.uniform(0, _LIFE) if number else 0.05)
        kill_all(f"XDG_STATE_HOME={state}")
        died_at_work += process.wait() == -signal.SIGKILL
        assert list(temporary.iterdir()) == []
        new = {path.name for path in Path("/dev/shm").iterdir()} - shared
        assert not [one for one in new if "clara" in one or "fastio" in one]
        everybody = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
        assert not [one for pid in everybody for one in leaks.held_by(pid) if name in one.segment]
    assert died_at_work
    result = workshop.clara(*run[len(CLARA) :], "-o", workshop.output, "--overwrite")
    assert result.returncode == 0, result.stderr
    assert list((state / "clara-fastio" / "jobs").iterdir()) == []
    assert sorted(path.name for path in workshop.output.iterdir()) == [
        *("job.json", "logs", "operators"),
    ]
    assert (workshop.output / "operators" / "save" / "files" / "file").stat().st_size == 1_000_000
