# SPDX-License-Identifier: Apache-2.0
"""Jobs that run without a server, and the processes that they leave behind."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import textwrap
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clara_fastio.platform.jobs.execution import Execution, Outcome
from clara_fastio.platform.jobs.plan import Plan
from clara_fastio.platform.jobs.supervision import Supervision

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from clara_fastio.platform.records.jobs import OperatorRecord


def marked(job_id: str) -> list[int]:
    """Find the processes of a job's operators, and their launchers."""
    found = []
    mark = f"NVIDIA_CLARA_JOBID={job_id}".encode()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                environment = (folder / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if mark in environment:
                found.append(int(folder.name))
    return found


def wait_until(holds: Callable[[], Any], patience: float = 20) -> Any:
    """Look again and again until something holds; gives what it was."""
    end = time.monotonic() + patience
    while True:
        if found := holds():
            return found
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


def children(parent: int) -> list[int]:
    """List the processes whose parent is `parent`."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                status = (folder / "stat").read_bytes()
            except OSError:
                continue
            if int(status.rpartition(b")")[2].split()[1]) == parent:
                found.append(int(folder.name))
    return found


class Bench:
    """Runs one job in a supervised runner and notes what is told of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.job = uuid.uuid4().hex
        self.seen: list[OperatorRecord] = []
        self.supervision = Supervision()
        (folder / "payload" / "input").mkdir(parents=True)

    def plan(self, definition: str, **changed: Any) -> Plan:
        values = {
            "job_id": self.job,
            "job_name": "night",
            "files": (("main.yaml", textwrap.dedent(definition)),),
            "arguments": {},
            "payload": self.folder / "payload",
            "logs": self.folder / "logs" / self.job,
            "scratch": self.folder / "scratch" / self.job,
            "timeout": 30.0,
            "grace": 5.0,
        }
        return Plan(**{**values, **changed})

    def run(
        self, plan: Plan, meanwhile: Callable[[Execution], Awaitable[None]] | None = None
    ) -> Outcome:
        async def note(operator: OperatorRecord) -> None:
            self.seen.append(operator)

        async def run() -> Outcome:
            execution = Execution(self.supervision, note)
            running = asyncio.create_task(execution.run(plan))
            try:
                if meanwhile is not None:
                    await meanwhile(execution)
                return await running
            finally:
                self.supervision.close()

        return asyncio.run(run())

    def left(self) -> list[int]:
        return marked(self.job)

    def log(self, name: str) -> str:
        return (self.folder / "logs" / self.job / f"{name}.log").read_text()


def one_operator(*command: str) -> str:
    return f"""
        api-version: 0.4.0
        name: one
        operators:
        - name: only
          container: {{image: demo/only, command: {json.dumps(list(command))}}}
        """


def shell(script: str) -> str:
    return one_operator("sh", "-c", script)


def python(source: str) -> str:
    return one_operator(sys.executable, "-c", textwrap.dedent(source))


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that is only to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return False


def kill(pid: int, number: int = 9) -> None:
    os.kill(pid, number)
