# SPDX-License-Identifier: Apache-2.0
"""Programs that do steps when they are told to, alone or several at the same time."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from bench.harness.sampling import Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ROOT = Path(__file__).resolve().parents[2]

#: Where `make bench` builds what is written in C++ and Cython.
BUILD = Path(os.environ.get("CLARA_FASTIO_BENCH_BUILD", ROOT / "build" / "bench"))

#: The processors that twins share: the first two that this process may use.
CPUS = (sorted(os.sched_getaffinity(0)) * 2)[:2]


def compiled(name: str) -> list[str]:
    """Name a program of `cpp/bench`."""
    return [str(BUILD / "cpp" / name)]


def interpreted(name: str) -> list[str]:
    """Name a program of `bench/programs`."""
    return [sys.executable, "-m", f"bench.programs.{name}"]


class Worker:
    """A running program that answers each line ``CASE STEPS`` with the cost of it, as JSON."""

    def __init__(
        self, program: Sequence[str], *arguments: object, pass_fds: Iterable[int] = ()
    ) -> None:
        orders, self._orders = _pipe()
        self._results, results = _pipe()
        with orders, results:
            self._process = subprocess.Popen(
                [*program, *map(str, arguments)],
                stdin=orders,
                stdout=results,
                cwd=ROOT,
                pass_fds=tuple(pass_fds),
            )
        self._program = program[-1]

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def pids(self) -> list[int]:
        """Every process that does the steps."""
        return [self.pid]

    def wait_until_ready(self) -> None:
        """Wait until it takes orders."""
        self._read("ready\n")

    def order(self, case: str, steps: int) -> None:
        """Tell it what to do, and do not wait."""
        self._orders.write(f"{case} {steps}\n")
        self._orders.flush()

    def result(self) -> Sample:
        """Wait for what it has cost."""
        return Sample(**json.loads(self._read()))

    def close(self) -> None:
        """End it."""
        with contextlib.suppress(BrokenPipeError):
            self._orders.close()
        self._results.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _read(self, expected: str = "") -> str:
        line = self._results.readline()
        if not line or (expected and line != expected):
            raise RuntimeError(f"{self._program} said {line!r} and ended: {self._process.poll()}")
        return line


def _pipe() -> tuple[TextIO, TextIO]:
    """Make the end to read from and the end to write to."""
    read, write = os.pipe()
    return os.fdopen(read), os.fdopen(write, "w")


class Crew:
    """Workers that do the same case at the same time."""

    def __init__(self, workers: Sequence[Worker], case: str, steps_each: float = 1) -> None:
        self._workers = workers
        self._case = case
        self._steps_each = steps_each

    @property
    def pids(self) -> list[int]:
        """Of all workers."""
        return [pid for worker in self._workers for pid in worker.pids]

    def run(self, steps: int) -> Sample:
        """Let every worker do so many steps; their processor times are added up."""
        for worker in self._workers:
            worker.order(self._case, steps)
        results = [worker.result() for worker in self._workers]
        return Sample(
            round(steps * self._steps_each),
            max(result.wall_ns for result in results),
            sum(result.cpu_ns for result in results),
            sum(result.sleeps for result in results),
        )


class OneByOne(Crew):
    """The same workers, but only one at a time: what none of them may slow down."""

    def run(self, steps: int) -> Sample:
        """Let each worker do so many steps while the others wait."""
        results = []
        for worker in self._workers:
            worker.order(self._case, steps)
            results.append(worker.result())
        return Sample(*(sum(values) for values in zip(*results, strict=True)))
