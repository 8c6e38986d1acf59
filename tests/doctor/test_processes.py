# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys

import pytest

from clara_fastio.doctor.processes import ProgramError, ask_child, run


def python(source):
    return [sys.executable, "-c", source]


def test_output_and_status_of_a_program_are_told():
    ended = run(python("import sys; print('out'); sys.exit('why')"), 30)
    assert (ended.code, ended.output) == (1, "out\n")
    assert ended.describe() == "it ended with status 1: why"


def test_program_gets_the_environment():
    source = "import os; print(os.environ['COLOUR'], 'PATH' in os.environ)"
    assert run(python(source), 30, {"COLOUR": "red"}).output == "red True\n"


def test_program_that_hangs_is_killed():
    ended = run(["sleep", "600"], 0.1)
    assert ended.code is None
    assert ended.describe() == "it did not end within 0.1 s"


def test_what_a_program_said_before_it_hung_is_told():
    ended = run(["sh", "-c", "echo waiting for the device >&2; exec sleep 600"], 1)
    assert ended.describe() == "it did not end within 1 s: waiting for the device"


def test_signal_that_ended_a_program_is_named():
    ended = run(["sh", "-c", "kill -SEGV $$"], 30)
    assert ended.describe() == "it was killed by SIGSEGV"


def test_program_that_cannot_be_started_raises():
    with pytest.raises(FileNotFoundError):
        run(["/nowhere/program"], 30)


def test_child_answers_with_an_object():
    # Nobody hosts the name, and the child says so instead of ending with a traceback.
    answer = ask_child("read", "no-such-context", "", timeout=30)
    assert answer["error"] == "NotFoundError"
    assert "no-such-context" in answer["text"]


def test_child_without_an_answer_raises():
    with pytest.raises(ProgramError, match="it ended with status 1: ValueError"):
        ask_child(timeout=30)  # It is not told what to do.


def test_child_that_is_late_raises():
    with pytest.raises(ProgramError, match="did not end within"):
        ask_child("capabilities", timeout=0.01)


def test_current_folder_is_not_searched_for_modules(tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')")
    monkeypatch.chdir(tmp_path)
    assert "error" in ask_child("read", "no-such-context", "", timeout=30)
