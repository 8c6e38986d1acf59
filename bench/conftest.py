# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the benches: they own what has to be ended, and hand findings to pytest-benchmark."""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING

import pytest

from bench.harness.sampling import Turns
from bench.harness.workers import CPUS, Worker, interpreted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.harness.findings import Findings


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

    def run(twins, *, block: float, rounds: int) -> Turns:
        turns = Turns(twins, block, is_tiny=benchmark.disabled)
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


@pytest.fixture
def host(crew) -> Callable[[int], list[str]]:
    """Let another process host contexts, so that a round trip to it is a real one."""

    def start(number: int) -> list[str]:
        names = [f"bench-{secrets.token_hex(8)}" for _ in range(number)]
        crew((interpreted("host"), *names))
        return names

    return start
