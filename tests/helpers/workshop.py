# SPDX-License-Identifier: Apache-2.0
"""A folder with a pipeline and its programs, to be run in this process or by ``clara``."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

from clara_fastio.pipeline import load_definition
from clara_fastio.runner import Settings, run_pipeline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clara_fastio.runner import Event, RunResult

CLARA = (sys.executable, "-m", "clara_fastio.cli")

#: Longer than anything takes, so that reaching it is a failure.
PATIENCE = 30


class Workshop:
    """Writes programs and definitions, and runs them.

    ``<name>`` in a definition is the command line of a program written before.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.output = folder / "output"
        self.events: list[Event] = []
        self._commands: dict[str, str] = {}

    def program(self, name: str, source: str) -> None:
        """Write a Python program."""
        path = self.folder / f"{name}.py"
        path.write_text(textwrap.dedent(source))
        self._commands[name] = json.dumps([sys.executable, "-W", "error", str(path)])

    def shell(self, name: str, script: str) -> None:
        """Name a command line of the shell."""
        self._commands[name] = json.dumps(["sh", "-c", script])

    def define(self, text: str) -> Path:
        """Write the definition ``pipeline.yaml``."""
        text = textwrap.dedent(text)
        for name, command in self._commands.items():
            text = text.replace(f"<{name}>", command)
        path = self.folder / "pipeline.yaml"
        path.write_text(text)
        return path

    def run(
        self, definition: str, on_event: Callable[[Event], None] | None = None, **settings: Any
    ) -> RunResult:
        """Run a definition in this process; what happened is in `events`."""

        def observe(event: Event) -> None:
            self.events.append(event)
            if on_event is not None:
                on_event(event)

        settings = {"output": self.output, "grace": 5.0, "timeout": PATIENCE, **settings}
        pipeline = load_definition(self.define(definition)).resolve()
        return run_pipeline(pipeline, Settings(**settings), observe)

    def result(self, *parts: str) -> str:
        """Read a result, below ``operators/``."""
        return self.output.joinpath("operators", *parts).read_text()

    def log(self, operator: str) -> str:
        """Read the log of an operator."""
        return (self.output / "logs" / f"{operator}.log").read_text()

    def clara(
        self, *arguments: object, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the command line to its end."""
        return subprocess.run(
            [*CLARA, *map(str, arguments)],
            check=False,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            env={**os.environ, "COLUMNS": "100", **(environment or {})},
            cwd=self.folder,
        )


class Watched:
    """A process that is not our child, whose end is awaited by its descriptor."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._pidfd = os.pidfd_open(pid)

    def has_ended(self, timeout: float = PATIENCE) -> bool:
        """Wait for the end of the process."""
        try:
            return bool(select.select([self._pidfd], [], [], timeout)[0])
        finally:
            os.close(self._pidfd)
