# SPDX-License-Identifier: Apache-2.0
"""How a driver is made."""

from __future__ import annotations

import threading

import pytest

from clara_fastio.driver import Driver, Phase


def test_a_driver_needs_no_handler() -> None:
    """Item 1."""
    assert Driver().phase is Phase.CREATED


def test_execute_handler_is_a_keyword(run_driver) -> None:
    """Item 2."""
    seen = []
    run_driver(execute_handler=lambda driver, payload: seen.append((driver, payload)))
    assert len(seen) == 1


def test_application_data_comes_back_as_the_same_object() -> None:
    """Item 3."""
    data = object()
    assert Driver(application_data=data).application_data is data
    assert Driver(app_data=data).app_data is data


def test_application_data_is_none_when_not_given() -> None:
    """Item 4."""
    assert Driver().application_data is None


def test_making_a_driver_runs_no_handler() -> None:
    """Item 7."""
    seen = []
    driver = Driver(
        lambda _: seen.append("prepare"),
        lambda *_: seen.append("execute"),
        lambda _: seen.append("cleanup"),
    )
    assert not [thread for thread in threading.enumerate() if "clara-fastio" in thread.name]
    assert driver.phase is Phase.CREATED
    assert driver.succeeded is None
    assert seen == []


def test_positions_are_prepare_execute_cleanup_notification_data(run_driver) -> None:
    """Part 10, row 1."""
    seen = []
    driver = run_driver(
        lambda _: seen.append("prepare"),
        lambda *_: seen.append("execute"),
        lambda _: seen.append("cleanup"),
        lambda _, notification: seen.append(notification.message),
        "data",
    )
    assert [word for word in seen if not word.startswith("phase")] == [
        "prepare",
        "execute",
        "cleanup",
    ]
    assert "phase completed" in seen
    assert driver.application_data == "data"


@pytest.mark.parametrize(
    ("prepare", "execute", "cleanup"),
    [
        ("prepare_handler", "execute_handler", "cleanup_handler"),
        ("prepare", "execute", "cleanup"),
    ],
)
@pytest.mark.parametrize("notify", ["notification_handler", "notify_handler", "error_handler"])
def test_every_spelling_of_a_keyword_works(run_driver, prepare, execute, cleanup, notify) -> None:
    """Part 10, row 2."""
    seen = []
    run_driver(
        **{
            prepare: lambda _: seen.append("prepare"),
            execute: lambda *_: seen.append("execute"),
            cleanup: lambda _: seen.append("cleanup"),
            notify: lambda *_: seen.append("told"),
        }
    )
    assert {"prepare", "execute", "cleanup", "told"} == set(seen)


def test_an_unknown_keyword_is_refused() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'excute'"):
        Driver(excute=print)


def test_two_spellings_of_one_argument_are_refused() -> None:
    with pytest.raises(TypeError, match="'execute_handler' twice"):
        Driver(execute_handler=print, execute=print)


@pytest.mark.parametrize(
    "name", ["prepare_handler", "execute_handler", "cleanup_handler", "notification_handler"]
)
def test_a_handler_that_cannot_be_called_is_refused(name) -> None:
    with pytest.raises(TypeError, match=f"{name} must be callable or None, not int"):
        Driver(**{name: 3})
