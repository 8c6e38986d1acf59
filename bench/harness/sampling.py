# SPDX-License-Identifier: Apache-2.0
"""Twins are measured in turns, block by block, and compared round by round."""

from __future__ import annotations

import contextlib
import random
import statistics
import time
import timeit
from dataclasses import dataclass, field
from resource import RUSAGE_SELF, getrusage
from typing import TYPE_CHECKING, NamedTuple, Protocol

from bench.harness.system_calls import count_system_calls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


class Sample(NamedTuple):
    """What one block of steps has cost all processes that took part."""

    steps: int
    wall_ns: int
    cpu_ns: int
    sleeps: int  #: voluntary context switches


class Twin(Protocol):
    """Something that can be done again and again."""

    @property
    def pids(self) -> list[int]:
        """The processes that do it."""

    def run(self, steps: int) -> Sample:
        """Do it so many times."""


class TwinEndedError(Exception):
    """A twin can go on no longer; it says why."""


class Statement:
    """A statement of Python, executed in this process without the cost of a call around it."""

    def __init__(self, statement: str, names: dict[str, object]) -> None:
        self._timer = timeit.Timer(statement, globals=names)
        self.pids = [0]

    def run(self, steps: int) -> Sample:
        """Execute it so many times."""
        sleeps = getrusage(RUSAGE_SELF).ru_nvcsw
        cpu = time.process_time_ns()
        wall = time.perf_counter_ns()
        self._timer.timeit(steps)
        return Sample(
            steps,
            time.perf_counter_ns() - wall,
            time.process_time_ns() - cpu,
            getrusage(RUSAGE_SELF).ru_nvcsw - sleeps,
        )


class Spread(NamedTuple):
    """A median and the quartiles beside it."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        """Summarise some values."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        return cls(*statistics.quantiles(values, n=4, method="inclusive"))


@dataclass
class Turns:
    """Several twins, measured in turns.

    Parameters
    ----------
    twins
        By name. To see what the noise is, put in the same thing twice.
    block
        Seconds that the steps of one turn shall take.
    steps
        How many steps one turn has instead.
    before_round
        What is to be done before each round.
    """

    twins: Mapping[str, Twin]
    block: float = 0
    steps: int | None = None
    before_round: Callable[[], object] = lambda: None
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    system_calls: dict[str, float | None] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)
    _steps: dict[str, int] = field(default_factory=dict)
    _order: random.Random = field(default_factory=lambda: random.Random(1))

    def __post_init__(self) -> None:
        self.twins = dict(self.twins)

    def round(self) -> None:
        """Give each twin its turn, in another order each time; leave out those that end."""
        if not self._steps:
            for name, twin in list(self.twins.items()):
                with self._left_out_when_ended(name):
                    self._steps[name] = self.steps or self._calibrate(twin)
        names = list(self.twins)
        self.before_round()
        self._order.shuffle(names)
        for name in names:
            with self._left_out_when_ended(name):
                sample = self.twins[name].run(self._steps[name])
                self.samples.setdefault(name, []).append(sample)

    def count(self) -> None:
        """Count system calls, after the timing because counting slows them down."""
        self.before_round()
        for name, twin in list(self.twins.items()):
            with self._left_out_when_ended(name):
                self.system_calls[name] = self._system_calls(twin, self._steps[name])

    def wall(self, name: str) -> Spread:
        """Nanoseconds of wall time for a step."""
        return self._spread(name, lambda sample: sample.wall_ns / sample.steps)

    def cpu(self, name: str) -> Spread:
        """Nanoseconds of processor time for a step, over all processes."""
        return self._spread(name, lambda sample: sample.cpu_ns / sample.steps)

    def sleeps(self, name: str) -> float:
        """How often a step gives up the processor."""
        return self._spread(name, lambda sample: sample.sleeps / sample.steps).median

    def ratio(self, name: str, other: str, *, of: str = "wall_ns") -> Spread:
        """Compare two twins within each round, by wall or processor time."""
        pairs = zip(self.samples[name], self.samples[other], strict=True)
        return Spread.of(
            [getattr(a, of) / a.steps * b.steps / max(getattr(b, of), 1) for a, b in pairs]
        )

    def difference(self, name: str, other: str, *, of: str = "wall_ns") -> Spread:
        """How many nanoseconds a step of the one takes longer than a step of the other."""
        pairs = zip(self.samples[name], self.samples[other], strict=True)
        return Spread.of([getattr(a, of) / a.steps - getattr(b, of) / b.steps for a, b in pairs])

    def p99(self, name: str) -> float:
        """Nanoseconds of wall time for a step in the slowest hundredth of all turns."""
        walls = sorted(sample.wall_ns / sample.steps for sample in self.samples[name])
        return walls[min(len(walls) - 1, round(0.99 * len(walls)))]

    @contextlib.contextmanager
    def _left_out_when_ended(self, name: str) -> Iterator[None]:
        try:
            yield
        except TwinEndedError as error:
            self.ended[name] = str(error)
            del self.twins[name]

    @staticmethod
    def _system_calls(twin: Twin, steps: int) -> float | None:
        with count_system_calls(twin.pids) as idle:
            twin.run(0)
        with count_system_calls(twin.pids) as counted:
            sample = twin.run(steps)
        return counted.per_step(sample.steps, idle)

    def _spread(self, name: str, value: Callable[[Sample], float]) -> Spread:
        return Spread.of([value(sample) for sample in self.samples[name]])

    def _calibrate(self, twin: Twin) -> int:
        steps = 1
        while True:
            # The first run starts what has to be started, and any run may be interrupted.
            seconds = min(twin.run(steps).wall_ns for _ in range(3)) / 1e9
            if seconds >= self.block / 2:
                return max(1, round(steps * self.block / seconds))
            steps = max(steps * 2, min(steps * 20, round(steps * self.block / max(seconds, 1e-9))))
