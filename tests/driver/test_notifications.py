# SPDX-License-Identifier: Apache-2.0
"""What the notification handler is told."""

from __future__ import annotations

import functools
import threading

import pytest

from clara_fastio.driver import Driver, Phase, Result


def fail(*_: object) -> None:
    raise ValueError("a bad volume")


def test_every_phase_is_told(run_driver) -> None:
    """Item 43."""
    told = []
    driver = run_driver(
        lambda _: None,
        lambda *_: None,
        lambda _: None,
        lambda *arguments: told.append(arguments),
    )
    assert {who for who, _ in told} == {driver}
    assert [(event.kind, event.code, event.phase) for _, event in told] == [
        ("state", Result.SUCCESS, Phase.PREPARE),
        ("state", Result.SUCCESS, Phase.WAITING),
        ("state", Result.SUCCESS, Phase.EXECUTE),
        ("state", Result.SUCCESS, Phase.CLEANUP),
        ("state", Result.SUCCESS, Phase.COMPLETED),
    ]


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ("prepare", Result.PREPARE_FAILED),
        ("execute", Result.EXECUTE_FAILED),
        ("cleanup", Result.CLEANUP_FAILED),
    ],
)
def test_every_failure_is_told_with_its_code(run_driver, step, code) -> None:
    """Item 43."""
    told = []
    run_driver(**{step: fail}, notification_handler=lambda _, event: told.append(event))
    (error,) = [event for event in told if event.kind == "error"]
    assert error.code is code
    assert error.code != 0
    assert "a bad volume" in error.message


def test_a_handler_with_three_parameters_gets_code_and_message(run_driver) -> None:
    """Part 1.7."""
    told = []

    def notified(driver: Driver, code: int, message: str) -> None:
        told.append((driver, code, message))

    driver = run_driver(execute=fail, notification_handler=notified)
    assert (driver, 2, "the execute handler raised ValueError: a bad volume") in told
    assert (driver, 0, "phase completed") in told


def test_methods_and_partials_are_handlers(run_driver) -> None:
    """Part 1.7."""

    class Listener:
        def __init__(self) -> None:
            self.told = []

        def notified(self, _: Driver, code: int, message: str) -> None:
            self.told.append((code, message))

    def with_extra(extra: list, _: Driver, event: object) -> None:
        extra.append(event)

    listener, extra = Listener(), []
    run_driver(notification_handler=listener.notified)
    run_driver(notification_handler=functools.partial(with_extra, extra))
    assert (0, "phase completed") in listener.told
    assert extra[-1].message == "phase completed"


@pytest.mark.parametrize("handler", [lambda: None, lambda _: None, lambda _a, _b, _c, _d: None])
def test_a_handler_that_takes_something_else_is_refused(handler) -> None:
    with pytest.raises(TypeError, match="neither 2 nor 3 arguments"):
        Driver(notification_handler=handler)


def test_without_a_handler_nothing_breaks(run_driver) -> None:
    """Item 44."""
    assert run_driver().succeeded is True
    assert run_driver(execute=fail, notification_handler=None).succeeded is False


@pytest.mark.parametrize("raised", [ValueError, SystemExit, KeyboardInterrupt])
def test_what_the_handler_raises_is_logged_and_goes_no_further(run_driver, caplog, raised) -> None:
    """Item 45."""
    seen = []

    def notified(*_: object) -> None:
        raise raised("the listener fell over")

    driver = run_driver(execute=lambda *_: seen.append("execute"), notification_handler=notified)
    assert driver.succeeded is True
    assert seen == ["execute"]
    assert "the notification handler failed" in caplog.text


def test_a_stop_is_told_while_execute_runs(runner) -> None:
    """Item 43: a handler that works for long learns of it at once."""
    told, has_stopped = [], threading.Event()

    def notified(_: Driver, code: int, message: str) -> None:
        told.append((code, message))
        if code == Result.STOPPED:
            has_stopped.set()

    driver = Driver(execute=lambda *_: has_stopped.wait(), notification_handler=notified)
    driver.start()
    runner.send(kind="ready")
    runner.read_until(kind="phase", phase="execute")
    runner.send(kind="stop", reason="another operator failed")
    driver.wait_for_completion()
    assert (Result.STOPPED, "asked to stop: another operator failed") in told
