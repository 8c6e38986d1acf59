# SPDX-License-Identifier: Apache-2.0
"""What runs when, and what a failure changes."""

from __future__ import annotations

import logging
import threading
import traceback

import numpy as np
import pytest

from clara_fastio.driver import Driver, Phase
from clara_fastio.errors import CallbackError, ClosedError


@pytest.fixture
def seen() -> list[str]:
    return []


@pytest.fixture
def handlers(seen) -> dict:
    """Handlers that write down that they ran."""
    return {
        "prepare": lambda _: seen.append("prepare"),
        "execute": lambda *_: seen.append("execute"),
        "cleanup": lambda _: seen.append("cleanup"),
    }


def fail(*_: object) -> None:
    raise ValueError("a bad volume")


def test_handlers_run_once_each_in_order(run_driver, handlers, seen) -> None:
    """Items 8 and 9."""
    driver = run_driver(**handlers)
    assert seen == ["prepare", "execute", "cleanup"]
    assert driver.succeeded is True
    assert driver.phase is Phase.COMPLETED


def test_handlers_get_the_driver_and_execute_the_payload_too(run_driver) -> None:
    """Items 10 to 13."""
    got = []
    driver = run_driver(
        lambda *arguments: got.append(arguments),
        lambda *arguments: got.append(arguments),
        lambda *arguments: got.append(arguments),
    )
    prepare, execute, cleanup = got
    assert prepare == (driver,)
    assert cleanup == (driver,)
    assert execute[0] is driver
    assert type(execute[1]).__name__ == "Payload"
    assert len(execute) == 2


@pytest.mark.parametrize("absent", ["prepare", "execute", "cleanup"])
def test_the_others_run_without_one_handler(run_driver, handlers, seen, absent) -> None:
    """Items 14 to 16."""
    del handlers[absent]
    assert run_driver(**handlers).succeeded is True
    assert seen == [name for name in ("prepare", "execute", "cleanup") if name != absent]


def test_a_driver_without_handlers_completes(run_driver) -> None:
    """Item 17."""
    assert run_driver().succeeded is True


def test_execute_waits_for_the_inputs_and_prepare_does_not(runner, handlers, seen) -> None:
    """Items 18 and 19."""
    driver = Driver(**handlers)
    driver.start()
    runner.read_until(kind="phase", phase="waiting")
    seen.append("the inputs are complete")
    runner.send(kind="ready")
    driver.wait_for_completion()
    assert seen == ["prepare", "the inputs are complete", "execute", "cleanup"]


def test_a_driver_without_execute_waits_for_its_inputs_too(runner, seen) -> None:
    """Item 15."""
    driver = Driver(cleanup=lambda _: seen.append("cleanup"))
    driver.start()
    runner.read_until(kind="phase", phase="waiting")
    seen.append("the inputs are complete")
    runner.send(kind="ready")
    driver.wait_for_completion()
    assert seen == ["the inputs are complete", "cleanup"]


def test_handlers_run_on_a_thread_of_the_driver(run_driver) -> None:
    """Item 20."""
    threads = []
    run_driver(*[lambda *_: threads.append(threading.current_thread())] * 3)
    assert len(threads) == 3
    assert threading.current_thread() not in threads
    assert {thread.name for thread in threads} == {"clara-fastio-driver"}


def test_a_payload_cannot_be_used_after_execute(run_driver) -> None:
    """Items 21 and 56."""
    kept = []

    def look(_: Driver) -> None:
        with pytest.raises(ClosedError, match="only while the execute handler runs"):
            kept[0].input_entries  # noqa: B018 - looking is what is refused.

    driver = run_driver(execute=lambda _, payload: kept.append(payload), cleanup=look)
    assert driver.succeeded is True


def test_cleanup_begins_after_execute_has_returned(run_driver) -> None:
    """Item 22."""
    is_executing = threading.Event()
    during_cleanup = []

    def execute(*_: object) -> None:
        is_executing.set()
        try:
            threading.Event().wait(0.05)
        finally:
            is_executing.clear()

    run_driver(execute=execute, cleanup=lambda _: during_cleanup.append(is_executing.is_set()))
    assert during_cleanup == [False]


def test_start_returns_while_execute_runs() -> None:
    """Item 23: were it otherwise, this would never end."""
    has_returned = threading.Event()
    driver = Driver(execute=lambda *_: has_returned.wait())
    driver.start()
    has_returned.set()
    driver.wait_for_completion()
    assert driver.succeeded is True


@pytest.mark.parametrize("result", [None, True, np.True_])
@pytest.mark.parametrize("step", ["prepare", "execute", "cleanup"])
def test_none_and_true_are_success(run_driver, handlers, result, step) -> None:
    """Item 24."""
    assert run_driver(**{**handlers, step: lambda *_: result}).succeeded is True


def test_another_result_is_success_with_a_warning(run_driver, caplog) -> None:
    assert run_driver(execute=lambda *_: 0).succeeded is True
    assert "the execute handler returned 0" in caplog.text


@pytest.mark.parametrize("result", [False, np.False_])
def test_false_from_execute_is_a_failure_and_cleanup_runs(
    run_driver, handlers, seen, result
) -> None:
    """Item 25."""
    driver = run_driver(**{**handlers, "execute": lambda *_: result})
    assert seen == ["prepare", "cleanup"]
    assert driver.succeeded is False
    assert isinstance(driver.error, CallbackError)
    assert driver.error.phase == "execute"
    assert str(driver.error) == "the execute handler returned False"


def test_an_exception_in_execute_is_a_failure_and_cleanup_runs(run_driver, handlers, seen) -> None:
    """Item 26."""
    told = []
    driver = run_driver(
        **{**handlers, "execute": fail}, notification_handler=lambda _, event: told.append(event)
    )
    assert seen == ["prepare", "cleanup"]
    assert driver.succeeded is False
    assert isinstance(driver.error.__cause__, ValueError)
    (error,) = [event for event in told if event.kind == "error"]
    assert error.error is driver.error
    assert error.message == "the execute handler raised ValueError: a bad volume"
    assert 'raise ValueError("a bad volume")' in error.traceback
    assert "in _call" not in error.traceback


@pytest.mark.parametrize("raised", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit])
@pytest.mark.parametrize("step", ["prepare", "execute", "cleanup"])
def test_no_exception_of_a_handler_hangs_who_waits(run_driver, handlers, raised, step) -> None:
    """Item 27."""

    def end(*_: object) -> None:
        raise raised

    driver = run_driver(**{**handlers, step: end})
    assert driver.succeeded is False
    assert driver.error.phase == step
    assert isinstance(driver.error.__cause__, raised)


def test_a_driver_works_after_another_has_failed(run_driver, handlers, seen) -> None:
    """Item 27."""
    run_driver(execute=fail)
    assert run_driver(**handlers).succeeded is True
    assert seen == ["prepare", "execute", "cleanup"]


@pytest.mark.parametrize("prepare", [fail, lambda _: False])
def test_a_failure_in_prepare_skips_execute_but_not_cleanup(
    run_driver, handlers, seen, prepare
) -> None:
    """Item 28."""
    driver = run_driver(**{**handlers, "prepare": prepare})
    assert seen == ["cleanup"]
    assert driver.error.phase == "prepare"


def test_the_first_failure_counts_and_a_later_one_is_a_note_on_it(run_driver) -> None:
    driver = run_driver(execute=fail, cleanup=lambda _: False)
    assert driver.error.phase == "execute"
    assert driver.error.__notes__ == ["and then: the cleanup handler returned False"]


def test_a_failure_stands_in_the_log_with_its_traceback(run_driver, caplog) -> None:
    run_driver(execute=fail)
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.name == "clara_fastio"
    assert record.exc_info[0] is ValueError
    assert "a bad volume" in caplog.text


def test_a_failure_does_not_keep_what_its_handler_held(run_driver) -> None:
    """Arrays in the frames of a traceback would hold memory of the job."""

    def execute(*_: object) -> None:
        volume = np.zeros(3)
        raise ValueError(volume.shape)

    driver = run_driver(execute=execute)
    frames = [frame for frame, _ in traceback.walk_tb(driver.error.__cause__.__traceback__)]
    assert frames[-1].f_code.co_name == "execute"
    assert "volume" not in frames[-1].f_locals


def test_the_phase_is_that_of_the_handler_that_runs(run_driver) -> None:
    phases = []
    run_driver(*[lambda driver, *_: phases.append(driver.phase)] * 3)
    assert phases == [Phase.PREPARE, Phase.EXECUTE, Phase.CLEANUP]


def test_no_phase_leads_back_and_none_leaves_out_cleanup() -> None:
    order = list(Phase)
    for earlier in Phase:
        for later in Phase:
            if order.index(later) <= order.index(earlier):
                assert not earlier.may_become(later)
    assert [phase for phase in Phase if phase.may_become(Phase.COMPLETED)] == [Phase.CLEANUP]
