# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the benches: they own what has to be ended, and hand findings to pytest-benchmark."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import pytest

from bench.harness import machine
from bench.harness.sampling import Turns
from bench.harness.workers import CPUS, Worker, interpreted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.harness.findings import Findings


#: How busy the machine was before we made it so.
_LOAD = " ".join(f"{load:.2f}" for load in os.getloadavg())


@pytest.hookimpl
def pytest_benchmark_update_machine_info(machine_info: dict[str, object]) -> None:
    """Add what `bench.report` says about the machine."""
    facts = {**machine.describe(), "load before": f"{_LOAD} (1, 5 and 15 minutes)"}
    machine_info["bench"] = {"machine": facts, "versions": machine.versions()}


@pytest.fixture(autouse=True)
def pinned() -> Iterator[None]:
    """Keep this process on one processor; programs that it starts choose their own."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {CPUS[0]})
    yield
    os.sched_setaffinity(0, before)


@pytest.fixture
def measure(benchmark) -> Callable[..., Turns]:
    """Measure twins in turns; with --benchmark-disable each makes one step."""

    def run(twins, *, rounds: int, **settings) -> Turns:
        turns = Turns(twins, **{**settings, **({"steps": 1} if benchmark.disabled else {})})
        # One round of pytest-benchmark is one round of turns.
        benchmark.pedantic(turns.round, rounds=rounds, iterations=1)
        turns.count()
        return turns

    return run


@pytest.fixture
def report(benchmark) -> Iterator[Callable[[Findings], None]]:
    """Hand findings over to `bench.report`, by way of pytest-benchmark's file."""
    benchmark.extra_info["findings"] = []

    def add(findings: Findings) -> None:
        benchmark.extra_info["findings"].append(findings.as_json())

    yield add
    assert benchmark.extra_info["findings"], "a bench has to report something"


@pytest.fixture
def crew() -> Iterator[Callable[..., list[Worker]]]:
    """Start workers; all are ready before the first gets an order, and all end with the bench."""
    with contextlib.ExitStack() as stack:

        def start(*commands, pass_fds=()) -> list[Worker]:
            workers = []
            for command in commands:
                workers.append(Worker(*command, pass_fds=pass_fds))
                stack.callback(workers[-1].close)
            for worker in workers:
                worker.wait_until_ready()
            return workers

        yield start


class Host:
    """Another process that hosts contexts, so that a round trip to it is a real one."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._number = 0

    def new(self, how: str = "add") -> str:
        """Host one more context, one in place of all that it hosts, or a crowded one; name it."""
        self._number += 1
        self._worker.order(how, self._number)
        self._worker.result()
        return f"bench-{self._worker.pid}-{self._number}"


@pytest.fixture
def host(crew) -> Host:
    """Start a process that hosts contexts."""
    return Host(*crew((interpreted("host"),)))
