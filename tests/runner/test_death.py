# SPDX-License-Identifier: Apache-2.0
"""Nothing outlives the runner, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.helpers import leaks
from tests.helpers.workshop import CLARA, PATIENCE, Watched

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.helpers.workshop import Workshop

# Three generations: the operator, its child, and an orphan in a session of its own.
FAMILY = """
    {trap}
    echo "pid $$"
    sh -c 'trap "" TERM; echo "pid $$"; while true; do sleep 1; done' &
    sh -c 'setsid sh -c "echo pid \\$\\$; exec sleep 1000" &'
    while true; do sleep 1; done
"""
DEFINITION = """
    api-version: 0.4.0
    name: family
    operators:
    - name: family
      container: {image: a, command: <family>}
    """


class Clara:
    """A running ``clara run`` whose operator says who belongs to it."""

    def __init__(self, workshop: Workshop, *options: str, trap: str = "") -> None:
        workshop.shell("family", FAMILY.format(trap=trap))
        path = workshop.define(DEFINITION)
        self.process = subprocess.Popen(
            [*CLARA, "run", str(path), "--output", str(workshop.output), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.pids: list[int] = []

    def meet_family(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("[family] pid "):
                self.pids.append(int(line.split()[-1]))
            if len(self.pids) == 3:
                break
        self.family = [Watched(pid) for pid in self.pids]

    def all_ended(self) -> bool:
        return {member.has_ended() for member in self.family} == {True}

    def wait(self) -> int:
        self.output, self.errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def clara(workshop: Workshop) -> Iterator[Clara]:
    program = Clara(workshop, "--grace", "1")
    try:
        program.meet_family()
        yield program
    finally:
        program.close()


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_killed_runner_leaves_no_operator_alive(clara: Clara) -> None:
    clara.process.kill()
    assert clara.all_ended()


def test_killed_launcher_takes_its_operator_with_it(clara: Clara) -> None:
    os.kill(parent_of(clara.pids[0]), signal.SIGKILL)
    assert clara.all_ended()
    assert clara.wait() == 3
    assert "SIGKILL" in clara.errors


def test_stopped_launcher_does_not_save_the_operator(clara: Clara) -> None:
    launcher = parent_of(clara.pids[0])
    os.kill(launcher, signal.SIGSTOP)
    clara.process.kill()
    os.kill(launcher, signal.SIGCONT)
    assert clara.all_ended()


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_interrupted_runner_ends_its_operators_and_tidies_up(
    clara: Clara, workshop: Workshop, number: signal.Signals, status: int
) -> None:
    clara.process.send_signal(number)
    assert clara.wait() == status
    assert clara.all_ended()
    assert f"interrupted by {number.name}" in clara.errors
    assert {path.name for path in workshop.output.iterdir()} == {"job.json", "logs", "operators"}


def test_second_interrupt_does_not_wait_for_the_grace_time(workshop: Workshop) -> None:
    clara = Clara(workshop, "--grace", "1000", trap="trap 'echo asked' TERM")
    try:
        clara.meet_family()
        clara.process.send_signal(signal.SIGINT)
        assert clara.process.stdout is not None
        assert any(line == "[family] asked\n" for line in clara.process.stdout)
        clara.process.send_signal(signal.SIGINT)
        assert clara.wait() == 130
        assert clara.all_ended()
    finally:
        clara.close()


def test_killed_runner_leaves_no_shared_memory(workshop: Workshop) -> None:
    workshop.program(
        "family",
        """
        import os, signal
        from clara_fastio import Driver

        def execute(driver, payload):
            with payload.outputs["x"].map("w"):
                print("pid", os.getpid(), payload.context.name, flush=True)
                signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
                signal.sigwait([signal.SIGUSR1])

        driver = Driver(execute_handler=execute)
        driver.start()
        driver.wait_for_completion()
        """,
    )
    path = workshop.define("""
        api-version: 0.5.0
        name: typed
        operators:
        - name: family
          container: {image: a, command: <family>}
          output: [{name: x, type: array, element-type: uint8, shape: [1000000]}]
        """)
    command = [*CLARA, "run", str(path), "--output", str(workshop.output)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = next(line for line in process.stdout if line.startswith("[family] pid "))
        operator, context = Watched(int(line.split()[2])), line.split()[3]
        assert any(context in one.segment for one in leaks.held_by(operator.pid))
    finally:
        process.kill()
        process.communicate()
    assert operator.has_ended()
    everybody = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    assert not [one for pid in everybody for one in leaks.held_by(pid) if context in one.segment]
