# SPDX-License-Identifier: Apache-2.0
"""The protocol between a driver and the runner, spoken by hand."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

from clara_fastio.runner import Note, OperatorState, RunStatus, StateChanged

if TYPE_CHECKING:
    from clara_fastio.runner import RunResult
    from tests.helpers.workshop import Workshop

SPEAKER = """
import atexit, json, os, select, signal, socket, sys, time
connection = socket.socket(fileno=int(os.environ["CLARA_FASTIO_CONTROL"].removeprefix("fd:")))
control = connection.makefile("rw", encoding="utf-8", newline="\\n")
atexit.register(lambda: (control.close(), connection.close()))
def say(kind, **fields):
    print(json.dumps({"kind": kind, **fields}), file=control, flush=True)
def phase(name):
    say("phase", phase=name, time=time.monotonic_ns())
def hear():
    return json.loads(control.readline())
say("hello", protocol=1, pid=os.getpid())
"""
ONE = """
    api-version: 1.0.0
    name: one
    operators:
    - name: only
      container: {image: a, command: <only>}
      driver: true
      timeout: 20
    """


def speaker(source: str) -> str:
    return SPEAKER + textwrap.dedent(source)


def states_of(workshop: Workshop, operator: str) -> list[str]:
    changes = [event for event in workshop.events if isinstance(event, StateChanged)]
    return [change.state.value for change in changes if change.operator == operator]


def run_only(workshop: Workshop, source: str, **settings: float) -> RunResult:
    workshop.program("only", speaker(source))
    return workshop.run(ONE, **settings)


def test_life_of_a_driver(workshop: Workshop) -> None:
    result = run_only(
        workshop,
        """
    phase("prepare"); phase("waiting")
    assert hear() == {"kind": "ready"}
    phase("execute"); phase("cleanup"); phase("completed"); say("completed", succeeded=True)
    """,
    )
    assert result.status is RunStatus.SUCCEEDED, result.failure
    # Its inputs were complete from the start, so that nobody is told of a wait that was none.
    assert states_of(workshop, "only") == ["starting", "prepare", "execute", "cleanup", "completed"]
    times = result.operators[0]
    assert None not in (times.starting, times.prepare, times.wait, times.execute, times.cleanup)


def test_reported_failure_decides_and_clean_up_may_still_run(workshop: Workshop) -> None:
    result = run_only(
        workshop,
        """
    phase("execute")
    say("failed", phase="execute", error="ValueError", message="no", traceback="File x, line 3")
    phase("cleanup"); print("tidy"); say("completed", succeeded=False)
    """,
    )
    assert result.status is RunStatus.FAILED
    assert result.failure is not None
    assert result.failure.phase == "execute"
    assert (result.failure.error, result.failure.message) == ("ValueError", "no")
    assert (result.failure.traceback, result.failure.output) == ("File x, line 3", "")
    assert workshop.log("only") == "tidy\n"


def test_driver_that_has_reported_its_failure_is_not_asked_to_stop(workshop: Workshop) -> None:
    run_only(
        workshop,
        """
    assert hear() == {"kind": "ready"}
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    say("failed", phase="execute", error="ValueError", message="no", traceback="")
    signal.sigwait({signal.SIGTERM})  # Half the grace time later; a message would be older.
    print("heard", select.select([connection], [], [], 0)[0])
    """,
        grace=1.0,
    )
    assert workshop.log("only") == "heard []\n"


@pytest.mark.parametrize(
    ("end", "message"),
    [
        ("sys.exit(0)", "the process exited with code 0 before its driver reported completion"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "the process was killed by SIGKILL before its"),
    ],
)
def test_end_without_a_report_is_a_death(workshop: Workshop, end: str, message: str) -> None:
    result = run_only(workshop, f'phase("execute"); print("last words", flush=True); {end}')
    assert result.failure is not None
    assert (result.failure.error, result.failure.phase) == ("PeerDiedError", "execute")
    assert result.failure.message.startswith(message)
    assert (result.failure.traceback, result.failure.output) == ("", "last words")


def test_report_counts_more_than_the_exit_code(workshop: Workshop) -> None:
    result = run_only(workshop, 'say("completed", succeeded=True); sys.exit(5)')
    assert result.status is RunStatus.SUCCEEDED
    notes = [event.text for event in workshop.events if isinstance(event, Note)]
    assert notes == ["completed, and then the process exited with code 5; the report counts"]


def test_failure_is_reported_although_the_exit_code_is_zero(workshop: Workshop) -> None:
    result = run_only(workshop, 'phase("execute"); say("completed", succeeded=False)')
    assert result.status is RunStatus.FAILED
    assert result.failure is not None
    assert result.failure.message == "its driver reports failure"


def test_process_that_does_not_end_after_its_report_is_killed(workshop: Workshop) -> None:
    result = run_only(workshop, 'say("completed", succeeded=True); signal.pause()', grace=0.5)
    assert result.status is RunStatus.SUCCEEDED
    assert result.operators[0].exit_code == -9


@pytest.mark.parametrize(
    "line", ["'not json'", "'[1, 2]'", "'{}'", "'{\"kind\": 1}'", "'[' * 100_000", "'x' * 2**21"]
)
def test_nonsense_on_the_channel_is_a_failure(workshop: Workshop, line: str) -> None:
    result = run_only(workshop, f"print({line}, file=control, flush=True); signal.pause()")
    assert result.status is RunStatus.FAILED
    assert result.failure is not None
    assert result.failure.error == "LayoutError"
    assert "control message" in result.failure.message


def test_unknown_messages_are_passed_over(workshop: Workshop) -> None:
    result = run_only(
        workshop, 'say("weather", sun=True); phase("dance"); say("completed", succeeded=True)'
    )
    assert result.status is RunStatus.SUCCEEDED, result.failure


def test_other_protocol_is_refused_with_both_versions(workshop: Workshop) -> None:
    result = run_only(workshop, 'say("hello", protocol=2, pid=1); signal.pause()')
    assert result.failure is not None
    assert result.failure.message == "its driver speaks protocol 2, this is 1"


def test_prepare_goes_on_while_the_upstream_works(workshop: Workshop) -> None:
    # The reader prepares before the writer ends, or neither ever ends.
    workshop.program(
        "reader",
        speaker(f"""
    phase("prepare"); os.mknod("{workshop.folder}/prepared"); phase("waiting")
    assert hear() == {{"kind": "ready"}}
    phase("execute"); print(os.listdir("/in")); say("completed", succeeded=True)
    """),
    )
    workshop.shell(
        "writer",
        f"while [ ! -e {workshop.folder}/prepared ]; do sleep 0.01; done; echo data > /out/x",
    )
    result = workshop.run("""
        api-version: 1.0.0
        name: overlap
        operators:
        - name: writer
          container: {image: a, command: <writer>}
          output: [{name: o, path: /out, type: stream, element-type: x}]
        - name: reader
          container: {image: a, command: <reader>}
          driver: true
          input: [{from: writer, name: o, path: /in, type: stream, element-type: x}]
        """)
    assert result.status is RunStatus.SUCCEEDED, result.failure
    assert workshop.log("reader") == "['x']\n"
    assert states_of(workshop, "reader") == [
        *("starting", "prepare", "waiting", "execute", "completed"),
    ]


def test_waiting_driver_is_told_why_it_is_to_stop(workshop: Workshop) -> None:
    workshop.program(
        "waiter",
        speaker(f"""
    phase("waiting"); os.mknod("{workshop.folder}/waiting")
    print(hear()); phase("cleanup"); say("completed", succeeded=False)
    """),
    )
    workshop.shell("fail", f"while [ ! -e {workshop.folder}/waiting ]; do sleep 0.01; done; exit 9")
    result = workshop.run("""
        api-version: 1.0.0
        name: stop
        operators:
        - name: fail
          container: {image: a, command: <fail>}
        - name: waiter
          container: {image: a, command: <waiter>}
          driver: true
          after: [fail]
        """)
    assert result.failure is not None
    assert result.failure.operator == "fail"
    reason = "operator 'fail' failed: the process exited with code 9"
    assert workshop.log("waiter") == f"{ {'kind': 'stop', 'reason': reason} }\n"
    assert result.operators[1].state is OperatorState.STOPPED


def test_own_time_limit_does_not_count_waiting(workshop: Workshop) -> None:
    source = speaker('phase("waiting"); hear(); say("completed", succeeded=True)')
    workshop.program("waiter", source)
    workshop.shell("slow", "sleep 1.5")
    result = workshop.run("""
        api-version: 1.0.0
        name: patient
        operators:
        - name: slow
          container: {image: a, command: <slow>}
        - name: waiter
          container: {image: a, command: <waiter>}
          driver: true
          timeout: 1
          after: [slow]
        """)
    assert result.status is RunStatus.SUCCEEDED, result.failure
