# SPDX-License-Identifier: Apache-2.0
"""The table at the end, and the arena in which processes are killed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import clara_fastio as fastio
from tests.kill import points
from tests.kill.arena import Arena
from tests.kill.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import RunProgram

#: A later pass of a point differs in nothing from one of these.
MOST_PASSES = 40

TALLY = pytest.StashKey[Tally]()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test for each kill point of the library: one that is never reached then fails."""
    if not points.LIBRARY.exists():
        raise pytest.UsageError(f"{points.LIBRARY} is missing; run 'make build-test' first")
    for argument, wants_host in (("client_point", False), ("host_point", True)):
        if argument in metafunc.fixturenames:
            names = [name for name in points.names() if name.startswith("host.") == wants_host]
            metafunc.parametrize(argument, names)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    tally = config.stash.get(TALLY, None)
    if tally is not None and tally.kills:
        terminalreporter.section("kills")
        for line in tally.lines():
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def tally(pytestconfig: pytest.Config) -> Tally:
    """What was killed in this run."""
    return pytestconfig.stash.setdefault(TALLY, Tally())


@pytest.fixture
def arena(context_name: str, run_program: RunProgram, tally: Tally) -> Iterator[Arena]:
    """A context with processes that live on."""
    with fastio.create_context(context_name, capacity=4096) as context:
        made = Arena(context, run_program, tally)
        yield made
        made.close()


@pytest.fixture(scope="session")
def passes_per_point(pytestconfig: pytest.Config) -> list[int]:
    """At which passes of each kill point to stop: about half of all kills."""
    count = max(2, pytestconfig.getoption("--rounds") // (2 * len(points.names())))
    return [1 + number % MOST_PASSES for number in range(count)]


@pytest.fixture(scope="session")
def random_rounds(pytestconfig: pytest.Config) -> int:
    """How often to kill in each role at random: the other half of all kills."""
    return max(2, pytestconfig.getoption("--rounds") // 24)
