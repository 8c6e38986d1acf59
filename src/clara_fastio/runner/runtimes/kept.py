# SPDX-License-Identifier: Apache-2.0
"""A started container, seen from the runner."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from clara_fastio.runner.runtimes.launch import Exit
from clara_fastio.runner.runtimes.started import StartedOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What podman and docker exit with when they, or what they use, could not run the container.
_CLIENT_FAILED = {125, 126}

#: The file that podman's watcher makes where it was started.
_OUT_OF_MEMORY = "oom"


class KeptContainer(StartedOperator):
    """An operator in a container, below its keeper."""

    #: Kills and removes the container.
    remove_command: Sequence[str] = ()
    #: Where the engine's client was started.
    folder = Path()

    def _exited(self, code: int, _memory: int | None) -> Exit:
        error, hint = self._error, ""
        if code in _CLIENT_FAILED and not error:
            error = "its container could not be run; the last lines of output tell why"
        if code == -signal.SIGKILL:
            is_certain = (self.folder / _OUT_OF_MEMORY).exists()
            hint = (
                f"{'' if is_certain else 'perhaps '}because it needed more memory than the "
                f"{self._launch.requests.memory} MB that it requests"
            )
        return Exit(code, None, error, "container", hint)

    async def _lose_parent(self, code: int) -> Exit:
        """Remove the container of a keeper that was killed."""
        with contextlib.suppress(OSError):
            process = await asyncio.create_subprocess_exec(
                *self.remove_command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
            await process.wait()
        return Exit(code, None, f"its keeper ended with status {code}", "container")
