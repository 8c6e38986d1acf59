# SPDX-License-Identifier: Apache-2.0
"""Fixtures that own their clean-up; what they are made of lies in `tests.helpers`."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.helpers import leaks, names
from tests.helpers.processes import Program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# An array that is used after its mapping was closed raises, here and in every program started.
os.environ["CLARA_FASTIO_DEBUG"] = "1"


# What a shell starts in the background ignores Ctrl-C, and so would the programs of the tests.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rounds", type=int, default=200, help="processes that tests/kill kills")
    parser.addoption(
        "--frames", type=int, default=100_000, help="frames that are made while tests/kill kills"
    )
    parser.addoption(
        "--records",
        choices=("sqlite", "postgresql"),
        default="sqlite",
        help="where the servers of tests/platform keep their records",
    )
    parser.addoption("--server-kills", type=int, default=8, help="kills of tests/platform/kill")


class RunProgram(Protocol):
    """Starts a `Program`; takes the same arguments."""

    def __call__(self, source: str | Path, *arguments: object, **options: object) -> Program: ...


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> int:
    """How much a random test is to do: ``--rounds``."""
    return request.config.getoption("--rounds")


@pytest.fixture(autouse=True)
def _nothing_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail when a segment that appeared during a test outlives the test's other fixtures."""
    before = leaks.held_by_this_run()
    yield
    request.node.funcargs.clear()  # A test's arguments outlive the fixtures that made them.
    left = leaks.wait_until_given_back(before)
    assert not left, f"{request.node.name} left segments behind: {left}"


@pytest.fixture
def context_name() -> str:
    """Name of a context that nobody else uses; `names.unique_name` makes more."""
    return names.unique_name()


@pytest.fixture
def run_program() -> Iterator[RunProgram]:
    """Start separate Python programs, each killed by its own pid when the test ends."""
    with contextlib.ExitStack() as programs:

        def start(source: str | Path, *arguments: object, **options: object) -> Program:
            program = Program(source, *arguments, **options)
            programs.callback(program.close)
            return program

        yield start
