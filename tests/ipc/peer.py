# SPDX-License-Identifier: Apache-2.0
"""Another process that does what the test says."""

from __future__ import annotations

import json
import signal
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.conftest import RunProgram

PROGRAM = Path(__file__).parent / "programs" / "peer.py"

#: Numbers of system calls that wait for a lock, by machine.
FUTEX = {"202", "98"}


class RemoteError(Exception):
    """What was raised in the other process; its text begins with the name of the class."""


class Peer:
    """A separate program; `run` lets it execute Python and returns the last expression's value.

    Parameters
    ----------
    run_program
        The fixture of that name.
    context_name
        A context to open as ``context``; None opens none.
    options
        For `tests.helpers.processes.Program`.
    """

    def __init__(
        self, run_program: RunProgram, context_name: str | None = None, **options: Any
    ) -> None:
        self.program = run_program(PROGRAM, **{"timeout": 50, **options})
        self.program.expect("ready")
        if context_name is not None:
            self.run(f"context = fastio.open_context({context_name!r})")

    @property
    def pid(self) -> int:
        """Process id."""
        return self.program.pid

    def start(self, code: str) -> None:
        """Let it execute code; `result` waits for the end of that."""
        self.program.send(json.dumps(textwrap.dedent(code)))

    def result(self) -> Any:
        """Wait for the end of what was started."""
        line = self.program.read_line()
        if not line:
            raise RemoteError(f"process {self.pid} has ended: {self.program.errors}")
        answer = json.loads(line)
        if "error" in answer:
            raise RemoteError(f"{answer['error']}: {answer['message']}")
        return answer["value"]

    def run(self, code: str) -> Any:
        """Let it execute code and wait for the end."""
        self.start(code)
        return self.result()

    def start_and_sleep(self, code: str) -> None:
        """Let it execute code that waits for a lock; return when it is asleep there."""
        self.start(code)
        while Path(f"/proc/{self.pid}/syscall").read_text().split()[0] not in FUTEX:
            time.sleep(0.001)

    def stop(self) -> None:
        """Stop it, and wait until all its threads are."""
        self.program.signal(signal.SIGSTOP)
        tasks = Path(f"/proc/{self.pid}/task")
        while not all(state_of(task) == "T" for task in tasks.iterdir()):
            time.sleep(0.001)

    def resume(self) -> None:
        """Let it go on."""
        self.program.signal(signal.SIGCONT)

    def end(self) -> int:
        """Let it end by itself; return its status."""
        self.program.close_input()
        return self.program.wait()


def state_of(task: Path) -> str:
    """Read the state of a thread: one letter, as in ``/proc/PID/stat``."""
    return (task / "stat").read_text().rpartition(")")[2].split()[0]
