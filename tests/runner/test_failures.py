# SPDX-License-Identifier: Apache-2.0
"""How operators without a driver fail, and what becomes of the others."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from clara_fastio.runner import OperatorState, RunStatus
from tests.helpers.workshop import PATIENCE, Watched

if TYPE_CHECKING:
    from tests.helpers.workshop import Workshop

ONE = """
    api-version: 0.4.0
    name: one
    operators:
    - name: only
      container: {image: a, command: <only>}
    """


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("exit 7", "the process exited with code 7"),
        ("kill -SEGV $$", "the process was killed by SIGSEGV"),
        ("kill -KILL $$", "the process was killed by SIGKILL"),
    ],
)
def test_end_of_the_process_is_named(workshop: Workshop, script: str, message: str) -> None:
    workshop.shell("only", script)
    result = workshop.run(ONE)
    assert result.status is RunStatus.FAILED
    assert result.failure is not None
    assert (result.failure.operator, result.failure.phase) == ("only", "execute")
    assert result.failure.message == message
    assert result.operators[0].state is OperatorState.FAILED


TYPED = """
    api-version: 1.0.0
    name: typed
    operators:
    - name: up
      container: {image: a, command: <up>}
      output: [{name: o, type: stream, element-type: x, path: /o}]
    - name: middle
      driver: true
      container: {image: a, command: <middle>}
      input: [{from: up, name: o, type: stream, element-type: x, path: /i}]
    - name: down
      after: [middle]
      container: {image: a, command: <down>}
    """


@pytest.mark.parametrize("pause", [0, 0.6])
def test_driver_that_never_starts_is_a_failure(workshop: Workshop, pause: float) -> None:
    """Whether its inputs are complete by then or not: nothing after it may run."""
    workshop.shell("up", f"sleep {0.6 - pause}")
    workshop.shell("middle", f"sleep {pause}")
    workshop.shell("down", "true")
    result = workshop.run(TYPED)
    assert result.status is RunStatus.FAILED
    assert result.failure is not None
    assert result.failure.operator == "middle"
    assert "has never started its driver" in result.failure.message
    assert result.operators[-1].state is OperatorState.SKIPPED


def test_program_that_is_not_there_is_named(workshop: Workshop) -> None:
    result = workshop.run(ONE.replace("<only>", "[no-such-program, x]"))
    assert result.failure is not None
    assert result.failure.phase == "starting"
    assert "'no-such-program' cannot be started: No such file" in result.failure.message


def test_folder_that_is_not_there_is_named(workshop: Workshop) -> None:
    workshop.shell("only", "true")
    result = workshop.run(ONE, directory=workshop.folder / "none")
    assert result.failure is not None
    assert "none' cannot be entered: No such file" in result.failure.message


def test_first_failure_wins_and_the_others_are_stopped(workshop: Workshop) -> None:
    os.mkfifo(workshop.folder / "pid")
    # It ignores the polite signal of nobody: it ends by it.
    workshop.shell("long", f"echo $$ > {workshop.folder}/pid; exec sleep 1000")
    workshop.shell("fail", f"read pid < {workshop.folder}/pid; echo $pid; exit 3")
    workshop.shell("after", "true")
    result = workshop.run("""
        api-version: 1.0.0
        name: some
        operators:
        - name: long
          container: {image: a, command: <long>}
        - name: fail
          container: {image: a, command: <fail>}
        - name: after
          container: {image: a, command: <after>}
          after: [long]
        """)
    assert result.status is RunStatus.FAILED
    assert result.failure is not None
    assert result.failure.operator == "fail"
    states = {each.name: each.state for each in result.operators}
    assert states == {
        "long": OperatorState.STOPPED,
        "fail": OperatorState.FAILED,
        "after": OperatorState.SKIPPED,
    }
    with pytest.raises(ProcessLookupError):
        os.kill(int(workshop.log("fail")), 0)


def test_partial_results_and_logs_of_a_failed_job_are_kept(workshop: Workshop) -> None:
    workshop.shell("only", "echo half; exit 1")
    result = workshop.run(ONE)
    assert result.status is RunStatus.FAILED
    assert workshop.log("only") == "half\n"


def test_what_an_operator_leaves_running_is_killed_with_it(workshop: Workshop) -> None:
    os.mkfifo(workshop.folder / "go")
    watched = []

    def watch(event: object) -> None:
        text = getattr(event, "text", "")
        if text.startswith("child "):
            watched.append(Watched(int(text.split()[1])))
            (workshop.folder / "go").write_text("on\n")

    # In a session of its own, and an orphan: only a subreaper still knows whose it is.
    workshop.shell(
        "only",
        "sh -c 'setsid sh -c \"echo child \\$\\$; exec sleep 1000\" &' ; "
        f"read on < {workshop.folder}/go",
    )
    result = workshop.run(ONE, watch)
    assert result.status is RunStatus.SUCCEEDED, result.failure
    assert [each.has_ended() for each in watched] == [True]


def test_last_line_without_an_end_is_logged(workshop: Workshop) -> None:
    workshop.shell("only", "printf 'one\\ntwo'")
    workshop.run(ONE)
    assert workshop.log("only") == "one\ntwo"
    assert [event.text for event in workshop.events if hasattr(event, "text")] == ["one", "two"]


def test_job_runs_on_any_thread(workshop: Workshop) -> None:
    workshop.shell("only", "echo x")
    results = []
    thread = threading.Thread(target=lambda: results.append(workshop.run(ONE)))
    thread.start()
    thread.join(PATIENCE)
    assert [result.status for result in results] == [RunStatus.SUCCEEDED]
