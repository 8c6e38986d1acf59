# SPDX-License-Identifier: Apache-2.0
"""What driver and runner say to each other."""

from __future__ import annotations

import os
import threading
import time

import pytest

from clara_fastio.driver import Driver
from clara_fastio.errors import DriverError

EVERY_PHASE = ["prepare", "waiting", "execute", "cleanup", "completed"]


def nothing(*_: object) -> None:
    """Do what a handler does that has nothing to do."""


def fail(*_: object) -> None:
    raise ValueError("a bad volume")


@pytest.fixture
def run(runner):
    """Run a driver under a runner that says `ready` at once; return what the driver said."""

    def run(**handlers: object) -> list[dict]:
        driver = Driver(**handlers)
        runner.send(kind="ready")
        driver.start()
        messages = runner.read_to_end()
        driver.wait_for_completion()
        return messages

    return run


def test_the_driver_greets_first_and_says_how_it_ended_last(run) -> None:
    first, *_, last = run()
    assert first == {"kind": "hello", "protocol": 1, "pid": os.getpid()}
    assert last == {"kind": "completed", "succeeded": True}


def test_every_phase_is_said_with_its_time(run) -> None:
    before = time.monotonic_ns()
    messages = run(prepare=nothing, execute=nothing, cleanup=nothing)
    phases = [message for message in messages if message["kind"] == "phase"]
    times = [message["time"] for message in phases]
    assert [message["phase"] for message in phases] == EVERY_PHASE
    everything = [before, *times, time.monotonic_ns()]
    assert everything == sorted(everything)


def test_phases_without_a_handler_are_left_out(run) -> None:
    messages = run()
    assert [message.get("phase") for message in messages if message["kind"] == "phase"] == [
        "waiting",
        "cleanup",
        "completed",
    ]


@pytest.mark.parametrize("step", ["prepare", "execute", "cleanup"])
def test_a_failure_is_reported_with_its_traceback(run, step) -> None:
    """Item 26."""
    messages = run(**{step: fail})
    (failed,) = [message for message in messages if message["kind"] == "failed"]
    assert failed["phase"] == step
    assert failed["error"] == "ValueError"
    assert failed["message"] == "a bad volume"
    assert failed["traceback"].startswith("Traceback (most recent call last):")
    assert 'raise ValueError("a bad volume")' in failed["traceback"]
    assert messages[-1] == {"kind": "completed", "succeeded": False}


def test_false_is_reported_as_a_failure_without_traceback(run) -> None:
    """Item 25."""
    messages = run(execute=lambda *_: False)
    (failed,) = [message for message in messages if message["kind"] == "failed"]
    assert failed == {
        "kind": "failed",
        "phase": "execute",
        "error": "CallbackError",
        "message": "the execute handler returned False",
        "traceback": "",
    }


def test_a_report_stays_below_the_longest_line_whatever_was_raised(run) -> None:
    def execute(*_: object) -> None:
        raise ValueError("\N{FACE WITH TEARS OF JOY}" * 100_000)

    messages = run(execute=execute)
    (failed,) = [message for message in messages if message["kind"] == "failed"]
    assert len(failed["message"]) == 8_000
    assert len(failed["traceback"]) == 64_000
    assert messages[-1]["succeeded"] is False


def test_a_stop_while_waiting_skips_execute_but_not_cleanup(runner) -> None:
    seen = []
    driver = Driver(
        execute=lambda *_: seen.append("execute"), cleanup=lambda _: seen.append("cleanup")
    )
    driver.start()
    runner.read_until(kind="phase", phase="waiting")
    runner.send(kind="stop", reason="another operator failed")
    driver.wait_for_completion()
    assert seen == ["cleanup"]
    assert driver.succeeded is False
    assert str(driver.error) == "stopped: another operator failed"
    assert runner.read_to_end()[-1] == {"kind": "completed", "succeeded": False}


def test_a_stop_during_execute_is_seen_by_the_handler_and_is_no_success(runner) -> None:
    def execute(driver: Driver, _: object) -> None:
        while not driver.is_stopping:
            threading.Event().wait(0.01)

    driver = Driver(execute=execute)
    driver.start()
    runner.send(kind="ready")
    runner.read_until(kind="phase", phase="execute")
    assert not driver.is_stopping
    runner.send(kind="stop", reason="cancelled")
    driver.wait_for_completion()
    assert driver.succeeded is False
    assert runner.read_to_end()[-1]["succeeded"] is False


def test_a_stop_after_execute_does_not_undo_its_success(runner) -> None:
    in_cleanup, may_end = threading.Event(), threading.Event()

    def cleanup(_: Driver) -> None:
        in_cleanup.set()
        may_end.wait()

    def stopped(_: Driver, event: object) -> None:
        if event.kind == "stop":
            may_end.set()

    driver = Driver(cleanup=cleanup, notification_handler=stopped)
    driver.start()
    runner.send(kind="ready")
    runner.read_until(kind="phase", phase="cleanup")
    in_cleanup.wait()
    runner.send(kind="stop", reason="cancelled")
    # A notification comes one at a time, so this one waits for no phase.
    driver.wait_for_completion()
    assert driver.succeeded is True


def test_messages_may_come_in_pieces_and_several_at_once(runner) -> None:
    seen = []
    driver = Driver(execute=lambda *_: seen.append("execute"))
    driver.start()
    runner.send_bytes(b'{"kind":"some')
    runner.read_until(kind="phase", phase="waiting")
    runner.send_bytes(b'thing-new","value":1}\n{"kind":"ready"}\n{"kind":')
    driver.wait_for_completion()
    assert seen == ["execute"]


@pytest.mark.parametrize(
    "line", [b"ready\n", b'"ready"\n', b"{}\n", b"3\n", b"\xff\n", b"[" * 100_000 + b"\n"]
)
def test_a_message_that_makes_no_sense_stops_the_driver(runner, line) -> None:
    seen = []
    driver = Driver(execute=lambda *_: seen.append("execute"))
    driver.start()
    runner.send_bytes(line)
    driver.wait_for_completion()
    assert seen == []
    assert "the control channel is broken" in str(driver.error)


def test_a_line_without_end_stops_the_driver(runner) -> None:
    driver = Driver()
    driver.start()
    runner.send_bytes(b" " * ((1 << 20) + 1))
    driver.wait_for_completion()
    assert "a line does not end" in str(driver.error)


@pytest.mark.parametrize("value", ["1", "TRUE", "true"])
def test_alone_the_driver_does_not_ask_the_runner(runner, monkeypatch, value) -> None:
    """Item 124."""
    seen = []
    monkeypatch.setenv("NVIDIA_CLARA_NOSYNCLOCK", value)
    driver = Driver(execute=lambda *_: seen.append("execute"))
    driver.start()
    driver.wait_for_completion()
    assert seen == ["execute"]
    os.close(runner.fd)
    assert runner.read() is None


def test_another_value_of_that_variable_does_not_mean_alone(run, monkeypatch) -> None:
    """Item 124."""
    monkeypatch.setenv("NVIDIA_CLARA_NOSYNCLOCK", "0")
    assert run()[0]["kind"] == "hello"


def test_the_environment_forgets_a_channel_that_is_in_use(run) -> None:
    found = []
    run(execute=lambda *_: found.append(os.environ.get("CLARA_FASTIO_CONTROL")))
    assert found == [None]


def test_a_descriptor_that_is_no_socket_is_refused(monkeypatch) -> None:
    with open(os.devnull) as file:  # noqa: PTH123 - a descriptor that is open, but no socket.
        monkeypatch.setenv("CLARA_FASTIO_CONTROL", f"fd:{file.fileno()}")
        with pytest.raises(DriverError, match="which is no socket"):
            Driver().start()


def test_a_runner_that_left_before_the_start_is_survived(runner_end, run_program) -> None:
    program = run_program(
        """
        from clara_fastio.driver import Driver
        print("ready", flush=True)
        input()
        driver = Driver(execute_handler=lambda *_: print("execute"))
        driver.start()
        driver.wait_for_completion()
        print(driver.error)
        """,
        environment=runner_end.environment,
        pass_fds=[runner_end.fd],
    )
    program.expect("ready")
    runner_end.close()
    program.send()
    assert program.finish() == "stopped: the runner is gone\n"
