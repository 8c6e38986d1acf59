# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import json
import os
import pty
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clara_fastio.doctor import Finding, State
from clara_fastio.doctor.examination import SECTIONS
from tests.helpers import fake_cuda
from tests.helpers.workshop import CLARA, PATIENCE

if TYPE_CHECKING:
    from tests.helpers.workshop import Workshop

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "cli.md").read_text()
SECTION = PAGE.partition("## clara doctor\n")[2].partition("\n## ")[0]
NO_DRIVER = {"CLARA_FASTIO_CUDA_DRIVER": "/nowhere/libcuda.so"}


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DRIVER", "TRANSPORT", "SYNC"):
        monkeypatch.delenv(f"CLARA_FASTIO_CUDA_{name}", raising=False)


def test_machine_on_which_the_tests_run_has_no_problem(workshop: Workshop) -> None:
    run = workshop.clara("doctor")
    assert (run.returncode, run.stderr) == (0, ""), run.stdout
    lines = run.stdout.splitlines()
    assert [line for line in lines if line in SECTIONS] == list(SECTIONS)
    assert re.search(
        r"^  ok +round trip +4\.0 KiB written by one process", run.stdout, re.MULTILINE
    )
    assert re.fullmatch(r"\d+ ok, \d+ warning, 0 problem, \d+ absent", lines[-1])


def test_machine_without_a_driver_is_told_what_to_install(workshop: Workshop) -> None:
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        pass
    else:
        pytest.skip("this machine has a driver")
    lines = workshop.clara("doctor").stdout.splitlines()
    (number,) = [at for at, line in enumerate(lines) if re.match(r"  absent +CUDA driver ", line)]
    assert "no CUDA driver: libcuda.so.1: " in lines[number]
    assert "do this  install the NVIDIA driver, or in a container start it" in lines[number + 2]


def test_problem_is_the_exit_code(workshop: Workshop) -> None:
    run = workshop.clara("doctor", environment=NO_DRIVER)
    assert (run.returncode, run.stderr) == (6, "")
    assert re.search(r"^  problem +CUDA driver +no CUDA driver: /nowhere", run.stdout, re.MULTILINE)
    assert run.stdout.splitlines()[-1].startswith(tuple("123456789"))


def test_json_tells_the_same(workshop: Workshop) -> None:
    run = workshop.clara("doctor", "--json", environment=NO_DRIVER)
    assert (run.returncode, run.stderr) == (6, "")
    report = json.loads(run.stdout)
    assert set(report) == {"summary", "findings"}
    states = [finding["state"] for finding in report["findings"]]
    assert report["summary"] == {state.value: states.count(state.value) for state in State}
    for finding in report["findings"]:
        assert set(finding) == {field.name for field in dataclasses.fields(Finding)}
        assert finding["section"] in SECTIONS
        assert finding["state"] == "ok" or finding["fix"]
    names = [finding["name"] for finding in report["findings"]]
    assert len(set(names)) == len(names)


def test_findings_are_drawn_in_a_terminal_with_all_their_words() -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, **NO_DRIVER, "TERM": "xterm", "COLUMNS": "60"}
    with subprocess.Popen([*CLARA, "doctor"], stdout=theirs, env=environment) as process:
        os.close(theirs)
        drawn = b""
        with contextlib.suppress(OSError):  # The end, on a terminal.
            while True:
                drawn += os.read(ours, 65536)
        os.close(ours)
        assert process.wait(PATIENCE) == 6
    assert b"\x1b[1;31mproblem" in drawn
    words = re.sub(r"\x1b\[[0-9;]*m", "", drawn.decode()).split()
    # Long texts go on in the next line, and nothing is cut.
    assert "unset CLARA_FASTIO_CUDA_DRIVER" in " ".join(words)
    assert not [word for word in words if word.endswith("\N{HORIZONTAL ELLIPSIS}")]


def test_test_driver_is_shown_with_its_devices(workshop: Workshop) -> None:
    driver = str(fake_cuda.library())
    run = workshop.clara("doctor", environment={"CLARA_FASTIO_CUDA_DRIVER": driver})
    assert (run.returncode, run.stderr) == (0, ""), run.stdout
    assert f"a test driver: {driver}" in run.stdout
    assert re.search(
        r"^  ok +device 0 between processes +vmm, ordered by", run.stdout, re.MULTILINE
    )


def test_fields_states_and_checks_are_explained() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", SECTION, re.MULTILINE)
    fields = [field.name for field in dataclasses.fields(Finding)]
    assert rows == [*(state.value for state in State), *fields]
    sections = re.findall(r"^\* (\w+): ", SECTION, re.MULTILINE)
    assert sections == list(SECTIONS)
