# SPDX-License-Identifier: Apache-2.0
"""Nothing of a container outlives its job, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clara_fastio.runner import RunStatus
from tests.helpers.workshop import CLARA, PATIENCE

if TYPE_CHECKING:
    from tests.containers.conftest import ContainerWorkshop

SLEEP = """
    api-version: 0.4.0
    name: sleep
    operators:
    - name: one
      container: {image: <image>, command: <work>}
    - name: other
      container: {image: <image>, command: <work>}
"""
FOREVER = "echo works; sleep 1000 & sleep 1000"


def start(workshop: ContainerWorkshop, definition: str) -> subprocess.Popen[str]:
    """Start a job in a process of its own and wait until all operators have said something."""
    job = subprocess.Popen(
        [*CLARA, "run", workshop.define(definition), "--runtime", workshop.engine, "--grace", "4"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines = []
    while sum("works" in line for line in lines) < 2:
        line = job.stdout.readline()
        assert line, "".join(lines)
        lines.append(line)
    return job


def keepers_of(pid: int) -> list[int]:
    """List the children of a runner that keep its containers."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_bytes().rpartition(b")")[2].split()[1])
            if parent == pid and b"keeper.py" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def end(job: subprocess.Popen[str]) -> int:
    """Wait for the end of a job that was started here."""
    with job.stdout:
        job.stdout.read()
    return job.wait(PATIENCE)


def test_containers_end_with_a_runner_that_is_killed(workshop: ContainerWorkshop) -> None:
    workshop.shell("work", FOREVER)
    job = start(workshop, SLEEP)
    assert len(workshop.containers()) == 2
    job.kill()
    assert end(job) == -signal.SIGKILL
    assert workshop.wait_until_gone() == []


def test_a_container_ends_with_its_keeper(workshop: ContainerWorkshop) -> None:
    workshop.shell("work", FOREVER)
    job = start(workshop, SLEEP)
    keepers = keepers_of(job.pid)
    assert len(keepers) == 2
    os.kill(keepers[0], signal.SIGKILL)
    assert end(job) == 3
    assert workshop.containers() == []


def test_what_even_keepers_leave_is_removed_by_the_next_job(workshop: ContainerWorkshop) -> None:
    workshop.shell("work", FOREVER)
    job = start(workshop, SLEEP)
    keepers = keepers_of(job.pid)
    os.kill(job.pid, signal.SIGSTOP)  # Else it would remove what a keeper leaves.
    for pid in keepers:
        os.kill(pid, signal.SIGKILL)
    job.kill()
    end(job)
    assert len(workshop.containers()) == 2
    workshop.shell("work", "true")
    assert workshop.run(SLEEP).status is RunStatus.SUCCEEDED
    assert workshop.containers() == []


def test_the_containers_of_a_living_job_are_left_alone(workshop: ContainerWorkshop) -> None:
    workshop.shell("work", FOREVER)
    job = start(workshop, SLEEP)
    workshop.shell("work", "true")
    assert workshop.run(SLEEP).status is RunStatus.SUCCEEDED
    assert len(workshop.containers()) == 2
    job.terminate()
    assert end(job) != 0
    assert workshop.containers() == []


def test_a_program_is_asked_before_it_is_killed(workshop: ContainerWorkshop) -> None:
    workshop.shell(
        "work", "trap 'echo asked; exit 7' TERM; echo works; while :; do sleep 0.1; done"
    )
    workshop.shell("fail", "sleep 1; exit 3")
    result = workshop.run(SLEEP.replace("command: <work>", "command: <fail>", 1))
    assert result.status is RunStatus.FAILED
    assert result.failure.operator == "one"
    assert workshop.log("other") == "works\nasked\n"
    assert [run.state.value for run in result.operators] == ["failed", "stopped"]


def test_who_does_not_listen_is_killed_after_the_grace_time(workshop: ContainerWorkshop) -> None:
    workshop.shell("work", "trap '' TERM; echo works; while :; do sleep 0.1; done")
    workshop.shell("fail", "sleep 1; exit 3")
    began = time.monotonic()
    result = workshop.run(SLEEP.replace("command: <work>", "command: <fail>", 1), grace=1.0)
    assert time.monotonic() - began < 10
    assert [run.state.value for run in result.operators] == ["failed", "stopped"]
    assert workshop.containers() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_stops_the_containers(
    workshop: ContainerWorkshop, number: signal.Signals
) -> None:
    workshop.shell("work", FOREVER)
    job = start(workshop, SLEEP)
    job.send_signal(number)
    assert end(job) == 128 + number
    assert workshop.containers() == []


def test_a_driver_that_fails_tells_why_and_one_that_waits_is_told(
    workshop: ContainerWorkshop,
) -> None:
    workshop.program(
        "work",
        """
        import time
        from clara_fastio import Driver

        def execute(driver, payload):
            time.sleep(3)  # The other one is waiting by then: it was started beside this one.
            raise ValueError("no good")

        def cleanup(driver):
            print("cleaned up", flush=True)

        driver = Driver(execute_handler=execute, cleanup_handler=cleanup)
        driver.start()
        driver.wait_for_completion()
        """,
    )
    result = workshop.run(
        """
        api-version: 1.0.0
        name: fail
        operators:
        - name: one
          driver: true
          container: {image: <image>, command: <work>}
        - name: other
          driver: true
          after: [one]
          container: {image: <image>, command: <work>}
        """
    )
    failure = result.failure
    assert (failure.operator, failure.phase) == ("one", "execute")
    assert (failure.error, failure.message) == ("ValueError", "no good")
    assert failure.traceback.endswith("ValueError: no good\n")
    assert [run.state.value for run in result.operators] == ["failed", "stopped"]
    assert "cleaned up" in workshop.log("one")
    assert "operator 'one' failed: no good" in workshop.log("other")
