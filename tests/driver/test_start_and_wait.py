# SPDX-License-Identifier: Apache-2.0
"""`start` and `wait_for_completion`."""

from __future__ import annotations

import threading

import pytest

from clara_fastio.driver import Driver
from clara_fastio.errors import PhaseError


def test_a_second_start_is_refused_while_the_first_runs() -> None:
    """Item 29."""
    may_end = threading.Event()
    driver = Driver(execute=lambda *_: may_end.wait())
    driver.start()
    with pytest.raises(PhaseError, match="started already"):
        driver.start()
    may_end.set()
    driver.wait_for_completion()


def test_a_second_start_is_refused_after_the_end_and_runs_nothing(run_driver) -> None:
    """Items 30 and 9."""
    seen = []
    driver = run_driver(execute=lambda *_: seen.append("execute"))
    with pytest.raises(PhaseError, match="started already"):
        driver.start()
    driver.wait_for_completion()
    assert seen == ["execute"]


def test_of_many_starts_at_once_one_succeeds() -> None:
    """Items 29 and 9."""
    seen, refused = [], []
    driver = Driver(execute=lambda *_: seen.append("execute"))
    together = threading.Barrier(8)

    def start() -> None:
        together.wait()
        try:
            driver.start()
        except PhaseError:
            refused.append("refused")

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    driver.wait_for_completion()
    assert seen == ["execute"]
    assert len(refused) == 7


def test_waiting_before_start_is_refused_at_once() -> None:
    """Items 31 and 32: were it not at once, this would never end."""
    with pytest.raises(PhaseError, match="not started"):
        Driver().wait_for_completion()
    with pytest.raises(RuntimeError):
        Driver().wait_for_completion()


def test_waiting_ends_after_cleanup_has() -> None:
    """Item 33."""
    has_returned = threading.Event()
    in_cleanup, may_end = threading.Event(), threading.Event()

    def cleanup(_: Driver) -> None:
        in_cleanup.set()
        may_end.wait()

    driver = Driver(cleanup=cleanup)

    def wait() -> None:
        driver.wait_for_completion()
        has_returned.set()

    driver.start()
    waiter = threading.Thread(target=wait)
    waiter.start()
    in_cleanup.wait()
    assert not has_returned.wait(0.05)
    may_end.set()
    waiter.join()
    assert has_returned.is_set()
    assert driver.succeeded is True


def test_waiting_again_and_from_many_threads_returns() -> None:
    """Items 34 and 35."""
    may_end = threading.Event()
    driver = Driver(execute=lambda *_: may_end.wait())
    driver.start()
    threads = [threading.Thread(target=driver.wait_for_completion) for _ in range(8)]
    for thread in threads:
        thread.start()
    may_end.set()
    for thread in threads:
        thread.join()
    assert driver.wait_for_completion() is None
    assert driver.wait_for_completion() is None


def test_a_thread_that_has_the_number_of_the_drivers_may_wait(run_driver) -> None:
    """Item 34: the system gives the number of a thread that has ended to the next one."""
    numbers, refused = [], []
    driver = run_driver(execute=lambda *_: numbers.append(threading.get_ident()))

    def wait() -> None:
        numbers.append(threading.get_ident())
        try:
            driver.wait_for_completion()
        except PhaseError as error:
            refused.append(error)

    for _ in range(100):
        thread = threading.Thread(target=wait)
        thread.start()
        thread.join()
    assert numbers[0] in numbers[1:]
    assert not refused


@pytest.mark.parametrize("step", ["prepare", "execute", "cleanup", "notification_handler"])
def test_a_handler_cannot_wait_for_its_own_end(run_driver, step) -> None:
    """Item 36."""
    refused = []

    def wait(driver: Driver, *_: object) -> None:
        try:
            driver.wait_for_completion()
        except PhaseError as error:
            refused.append(error)

    driver = run_driver(**{step: wait})
    assert refused
    assert "cannot wait" in str(refused[0])
    assert driver.succeeded is True


def test_start_returns_nothing() -> None:
    """Part 10, row 8."""
    driver = Driver()
    assert driver.start() is None
    driver.wait_for_completion()
