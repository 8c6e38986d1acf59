# SPDX-License-Identifier: Apache-2.0
"""A job in a runner of its own, to its end."""

from __future__ import annotations

import asyncio
import os
import uuid
from typing import TYPE_CHECKING

from clara_fastio.platform.jobs.execution import Execution
from clara_fastio.platform.jobs.supervision import supervisors_environment
from clara_fastio.platform.records.states import JobStatus, OperatorStatus
from clara_fastio.runner import Image, Images
from tests.platform.jobs.runs import python, shell, wait_until

if TYPE_CHECKING:
    import pytest

    from tests.platform.jobs.runs import Bench


def test_a_job_works_in_its_payload(bench: Bench) -> None:
    (bench.folder / "payload" / "input" / "scan").write_text("voxels")
    definition = """
        api-version: 0.4.0
        name: two
        operators:
        - name: first
          container: {image: demo/a, command: [sh, -c, "cat /input/scan > /out/x; echo first"]}
          input: [{path: /input}]
          output: [{path: /out}]
        - name: second
          container: {image: demo/b, command: [sh, -c, "rev < /in/x > /out/y; pwd"]}
          input: [{from: first, path: /in}]
          output: [{path: /out}]
        """
    outcome = bench.run(bench.plan(definition))
    assert (outcome.status, outcome.messages) == (JobStatus.HEALTHY, ())
    assert (bench.folder / "payload" / "operators" / "second" / "y").read_text() == "slexov"
    assert bench.log("first") == "first\n"
    assert [(each.name, each.status) for each in bench.seen] == [
        ("first", OperatorStatus.RUNNING),
        ("first", OperatorStatus.COMPLETED),
        ("second", OperatorStatus.RUNNING),
        ("second", OperatorStatus.COMPLETED),
    ]
    assert bench.seen[1].started <= bench.seen[1].stopped <= bench.seen[2].started
    assert not (bench.folder / "scratch" / bench.job).exists()
    assert not bench.left()


def test_the_first_failure_is_told(bench: Bench) -> None:
    outcome = bench.run(bench.plan(shell("echo words of farewell; exit 7")))
    assert outcome.status is JobStatus.FAULTED
    assert "operator 'only' failed" in outcome.messages[0]
    assert "exited with code 7" in outcome.messages[0]
    assert outcome.messages[1] == "words of farewell"
    assert bench.seen[-1].status is OperatorStatus.FAULTED


def test_no_message_names_a_folder_of_the_server(bench: Bench) -> None:
    images = Images(
        {"demo/only:latest": Image(command=("{}/gone".format(bench.folder / "payload"),))}
    )
    outcome = bench.run(bench.plan(shell("exit 1"), images=images))
    assert outcome.status is JobStatus.FAULTED
    assert str(bench.folder) not in "".join(outcome.messages) + bench.log("clara-pod-manager")
    assert "'payload/gone' cannot be started" in outcome.messages[0]


def test_messages_hold_nothing_that_a_database_refuses(bench: Bench) -> None:
    outcome = bench.run(bench.plan(shell(r"printf 'a\000b\377c\n'; exit 1")))
    assert outcome.messages[1] == "a\ufffdb\ufffdc"


def test_a_definition_that_does_not_resolve_is_a_fault(bench: Bench) -> None:
    outcome = bench.run(bench.plan(shell("true"), arguments={"LEVEL": "1"}))
    assert outcome.status is JobStatus.FAULTED
    assert "LEVEL" in outcome.messages[0]


def test_a_time_limit_terminates(bench: Bench) -> None:
    outcome = bench.run(bench.plan(shell("exec sleep 60"), timeout=0.3))
    assert outcome.status is JobStatus.TERMINATED
    assert "time limit of 0.3 s" in outcome.messages[0]
    assert not bench.left()


def test_cancel_stops_the_operators(bench: Bench) -> None:
    async def cancel(execution: Execution) -> None:
        await asyncio.to_thread(wait_until, lambda: bench.seen)
        execution.cancel("the patient has left")
        execution.cancel("a second word")

    outcome = bench.run(bench.plan(shell("exec sleep 60")), cancel)
    assert outcome.status is JobStatus.CANCELED
    assert outcome.messages == ("the patient has left",)
    assert bench.seen[-1].status is OperatorStatus.FAULTED
    assert not bench.left()


def test_cancel_counts_before_the_runner_is_there(bench: Bench) -> None:
    async def cancel(execution: Execution) -> None:
        execution.cancel("at once")

    outcome = bench.run(bench.plan(shell("touch ran")), cancel)
    assert (outcome.status, outcome.messages) == (JobStatus.CANCELED, ("at once",))
    assert not bench.seen


def test_what_ignores_signals_is_killed_after_the_grace_time(bench: Bench) -> None:
    async def cancel(execution: Execution) -> None:
        await asyncio.to_thread(wait_until, lambda: "ready" in read_if_there(bench))
        execution.cancel("enough")

    script = "trap '' TERM; echo ready; while :; do sleep 0.05; done"
    outcome = bench.run(bench.plan(shell(script), grace=0.3), cancel)
    assert outcome.status is JobStatus.CANCELED
    assert not bench.left()


def read_if_there(bench: Bench) -> str:
    try:
        return bench.log("only")
    except FileNotFoundError:
        return ""


def test_many_jobs_run_at_once(bench: Bench) -> None:
    async def ignore(_: object) -> None:
        pass

    async def run() -> list[tuple[JobStatus, int]]:
        plans = []
        for number in range(12):
            payload = bench.folder / f"payload-{number}"
            (payload / "input").mkdir(parents=True)
            name = uuid.uuid4().hex
            folders = {kind: bench.folder / kind / name for kind in ("logs", "scratch")}
            plans.append(
                bench.plan(shell(f"exit {number % 2}"), job_id=name, payload=payload, **folders)
            )
        try:
            runs = (Execution(bench.supervision, ignore).run(plan) for plan in plans)
            return [(each.status, len(each.messages)) for each in await asyncio.gather(*runs)]
        finally:
            bench.supervision.close()

    assert asyncio.run(run()) == [(JobStatus.HEALTHY, 0), (JobStatus.FAULTED, 1)] * 6


def test_operators_inherit_no_secrets(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLARA_TOKEN", "hush")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("SCANNER", "ct")
    assert bench.run(bench.plan(shell("env"))).status is JobStatus.HEALTHY
    found = set(bench.log("only").splitlines())
    assert {"OPENBLAS_NUM_THREADS=3", "SCANNER=ct", "NVIDIA_CLARA_JOBNAME=night"} <= found
    assert not any(line.startswith(("CLARA_TOKEN", "OMP_NUM", "CLARA_SUPER")) for line in found)


def test_the_supervisor_gets_one_thread_of_numpy() -> None:
    assert supervisors_environment({"PGPASSWORD": "x"}).get("PGPASSWORD") is None
    assert supervisors_environment(os.environ)["OPENBLAS_NUM_THREADS"] == "1"


def test_an_operator_beyond_its_memory_says_what_to_change(bench: Bench) -> None:
    definition = python("import time; data = b'x' * 700_000_000; time.sleep(100)")
    outcome = bench.run(bench.plan(definition))
    assert outcome.status is JobStatus.FAULTED
    assert "operator 'only' failed in execute" in outcome.messages[0]
    assert "more than the 512 MB that it requests; raise 'memory'" in outcome.messages[0]
    assert bench.left() == []
