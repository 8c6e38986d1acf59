# SPDX-License-Identifier: Apache-2.0
"""Runner, supervisor or server are killed: nothing of a job stays, and the job says why."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clara_fastio.platform.jobs.execution import Execution, Outcome
from clara_fastio.platform.records.states import JobStatus
from tests.helpers.processes import ROOT, Program
from tests.platform.jobs.runs import children, is_alive, kill, marked, shell, wait_until

if TYPE_CHECKING:
    from tests.platform.jobs.runs import Bench

#: It leaves a process behind that has neither its group nor its environment.
STUBBORN = "trap '' TERM; setsid env -i sleep 61 & echo ready; while :; do sleep 0.05; done"


def wait_for_operator(bench: Bench) -> None:
    log = bench.folder / "logs"
    wait_until(lambda: [path for path in log.glob("*/only.log") if "ready" in path.read_text()])


def sleepers() -> list[int]:
    """Find what the stubborn operator has left behind."""
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdigit() and (folder / "cmdline").read_bytes() == b"sleep\x0061\0":
                found.append(int(folder.name))
    return found


def run_and_kill(bench: Bench, choose: str, number: int = signal.SIGKILL) -> Outcome:
    """Run the stubborn operator and kill the runner or the supervisor."""

    def strike() -> None:
        wait_for_operator(bench)
        supervisor = bench.supervision.pid
        victim = supervisor if choose == "supervisor" else children(supervisor)[0]
        kill(victim, number)

    async def meanwhile(_: Execution) -> None:
        await asyncio.to_thread(strike)

    return bench.run(bench.plan(shell(STUBBORN)), meanwhile)


def test_a_killed_runner_is_a_fault_and_takes_its_operators_along(bench: Bench) -> None:
    outcome = run_and_kill(bench, "runner")
    assert outcome.status is JobStatus.FAULTED
    assert "runner was killed by SIGKILL" in outcome.messages[0]
    assert not bench.left()
    assert not sleepers()


def test_a_killed_supervisor_is_a_fault_and_the_next_job_gets_another(bench: Bench) -> None:
    outcome = run_and_kill(bench, "supervisor")
    assert outcome.status is JobStatus.FAULTED
    assert "watches over the runners has died" in outcome.messages[0]
    wait_until(lambda: not bench.left() and not sleepers(), 2)
    first = bench.supervision.pid
    again = bench.run(bench.plan(shell("true"), payload=bench.folder))
    assert again.status is JobStatus.HEALTHY
    assert bench.supervision.pid != first


def kill_unnoticed(pid: int) -> None:
    """Kill a child and wait for its end, while the loop stands still."""
    kill(pid)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def test_a_supervisor_that_died_unnoticed_is_replaced(bench: Bench) -> None:
    async def ignore(_: object) -> None:
        pass

    async def run() -> tuple[Outcome, int]:
        bench.supervision.open()
        first = bench.supervision.pid
        kill_unnoticed(first)
        try:
            outcome = await Execution(bench.supervision, ignore).run(bench.plan(shell("true")))
            return outcome, first
        finally:
            bench.supervision.close()

    outcome, first = asyncio.run(run())
    assert outcome.status is JobStatus.HEALTHY
    assert bench.supervision.pid != first


def test_a_stopped_runner_is_killed_beyond_its_time_limit(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clara_fastio.platform.jobs.execution._MARGIN", 0.2)

    def strike() -> None:
        wait_for_operator(bench)
        kill(children(bench.supervision.pid)[0], signal.SIGSTOP)

    async def meanwhile(_: Execution) -> None:
        await asyncio.to_thread(strike)

    plan = bench.plan(shell(STUBBORN), timeout=4.0, grace=0.2)
    outcome = bench.run(plan, meanwhile)
    assert outcome.status is JobStatus.TERMINATED
    assert "it was killed" in outcome.messages[0]
    assert not bench.left()


SERVER = """
    import asyncio, sys
    from pathlib import Path
    from tests.platform.jobs.runs import Bench, shell, wait_until
    bench = Bench(Path(sys.argv[1]))
    async def tell(execution):
        await asyncio.to_thread(wait_until, lambda: bench.seen)
        print(bench.supervision.pid, flush=True)
    bench.run(bench.plan(shell(sys.argv[2])), tell)
"""


@pytest.mark.parametrize("also", ["nobody", "supervisor", "runner", "everybody"])
def test_nothing_outlives_a_killed_server(bench: Bench, also: str) -> None:
    folder = bench.folder / "server"
    program = Program(SERVER, folder, STUBBORN, environment={"PYTHONPATH": str(ROOT)})
    with contextlib.closing(program) as server:
        supervisor = int(server.read_line())
        wait_until(lambda: list(folder.glob("logs/*/only.log")))
        wait_until(lambda: "ready" in next(folder.glob("logs/*/only.log")).read_text())
        runner = children(supervisor)[0]
        job = next(folder.glob("logs/*")).name
        doomed = {server.pid, supervisor, runner, *marked(job), *sleepers()}
        assert len(doomed) >= 6
        assert 0 not in doomed
        victims = {"supervisor": [supervisor], "runner": [runner]}.get(also, [])
        if also == "everybody":
            victims = [supervisor, runner]
        killed = time.monotonic()
        for pid in (server.pid, *victims):
            with contextlib.suppress(ProcessLookupError):  # It was faster.
                kill(pid)
        wait_until(lambda: not [pid for pid in doomed if is_alive(pid)], 2)
        assert time.monotonic() - killed < 2


def test_the_supervisor_has_one_thread(bench: Bench) -> None:
    found = []

    def count() -> None:
        wait_until(lambda: bench.seen)
        found.extend(Path(f"/proc/{bench.supervision.pid}/task").iterdir())

    async def look(_: Execution) -> None:
        await asyncio.to_thread(count)

    bench.run(bench.plan(shell("true")), look)
    assert len(found) == 1


def test_signals_that_are_meant_for_the_server_end_no_job(bench: Bench) -> None:
    def strike() -> None:
        wait_for_operator(bench)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            kill(bench.supervision.pid, number)
            kill(children(bench.supervision.pid)[0], number)
        (bench.folder / "payload" / "go").touch()

    async def meanwhile(_: Execution) -> None:
        await asyncio.to_thread(strike)

    script = f"echo ready; while [ ! -e {bench.folder / 'payload' / 'go'} ]; do sleep 0.01; done"
    outcome = bench.run(bench.plan(shell(f"{script}; kill -TERM $$")), meanwhile)
    assert outcome.status is JobStatus.FAULTED
    assert "killed by SIGTERM" in outcome.messages[0]
