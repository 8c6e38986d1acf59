# SPDX-License-Identifier: Apache-2.0
"""The table at the end, and the arena in which processes are killed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

import clara_fastio as fastio
from tests.kill import points
from tests.kill.arena import Arena
from tests.kill.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import RunProgram

#: A later pass of a point differs in nothing from one of these.
MOST_PASSES = 40

#: Frames from which on each kill point is passed many times.
LONG_FORM = 1_000_000

#: Which points each argument of a test stands for.
POINTS: Final[dict[str, Callable[[str], bool]]] = {
    "client_point": lambda name: not name.startswith(("host.", *points.STREAMS, *points.DEVICES)),
    "host_point": lambda name: (
        name.startswith("host.") and not name.startswith((*points.STREAMS, *points.DEVICES))
    ),
    "device_point": lambda name: name.startswith("device."),
    "device_frame_point": lambda name: name.startswith("device.") and name not in points.MAPPING,
    "device_host_point": lambda name: name.startswith("host.device."),
    "producer_point": lambda name: name.startswith("frame.") and name not in points.CONSUMERS,
    "held_up_point": lambda name: (
        name.startswith("frame.") and name not in points.CONSUMERS | points.WAITS
    ),
    "consumer_point": lambda name: name in points.CONSUMERS,
    "stream_host_point": lambda name: name.startswith("host.") and name.startswith(points.STREAMS),
}

TALLY = pytest.StashKey[Tally]()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test for each kill point of the library: one that is never reached then fails."""
    if not points.LIBRARY.exists():
        raise pytest.UsageError(f"{points.LIBRARY} is missing; run 'make build-test' first")
    for argument in POINTS.keys() & set(metafunc.fixturenames):
        names = [name for name in points.names() if POINTS[argument](name)]
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


@pytest.fixture(scope="session")
def frames(pytestconfig: pytest.Config) -> int:
    """How many frames to make while consumers and producers are killed at random."""
    return pytestconfig.getoption("--frames")


@pytest.fixture(scope="session")
def frame_passes(frames: int) -> range:
    """At which passes of each kill point of a stream to stop."""
    return range(1, 3 if frames < LONG_FORM else 25)


@pytest.fixture(scope="session")
def host_passes(frames: int) -> range:
    """The same, of hosts, each of which is a context of its own."""
    return range(1, 2 if frames < LONG_FORM else 9)
