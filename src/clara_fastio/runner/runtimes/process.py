# SPDX-License-Identifier: Apache-2.0
"""The process runtime: each operator is a process of the user, below a launcher."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from clara_fastio.runner.channel import Channel
from clara_fastio.runner.environment import base_environment
from clara_fastio.runner.orphans import kill_orphans
from clara_fastio.runner.runtimes.devices import Devices
from clara_fastio.runner.runtimes.launch import Exit
from clara_fastio.runner.runtimes.process_memory import memory_bound, memory_used
from clara_fastio.runner.runtimes.runtime import Connections, Runtime
from clara_fastio.runner.runtimes.started import StartedOperator

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from clara_fastio.pipeline import Operator
    from clara_fastio.runner.images import Image
    from clara_fastio.runner.memory import JobMemory
    from clara_fastio.runner.payload import Payload
    from clara_fastio.runner.runtimes.launch import Launch

_LAUNCHER = Path(__file__).with_name("launcher.py")
# The interpreter alone, without site-packages and without the operator's PYTHON* variables.
_PROGRAM = (sys.executable, "-I", "-S", str(_LAUNCHER))
_MEGABYTE = 1_000_000
#: Seconds between two looks at an operator's memory.
_LOOK_EVERY = 0.1
#: Pauses are so many times as long as a look took, so that looking costs little.
_REST = 20


class InheritedConnections(Connections):
    """Descriptors that the operator inherits under the same numbers."""

    def __init__(self, memory: JobMemory, operator: str) -> None:
        self.control, self._theirs = Channel.pair()
        self._memory = -1
        try:
            self._memory = memory.connect(operator)
        except BaseException:
            self.close()
            raise
        self.descriptors = (self._memory, self._theirs.fileno())
        self.environment = {
            "CLARA_FASTIO_SOCKET": f"fd:{self._memory}",
            "CLARA_FASTIO_CONTROL": f"fd:{self._theirs.fileno()}",
        }

    def hand_over(self) -> None:
        """Close the operator's descriptors."""
        self._theirs.close()
        if self._memory >= 0:
            os.close(self._memory)
            self._memory = -1

    def process_ended(self) -> None:
        """Do nothing: the end of file comes by itself."""

    def close(self) -> None:
        """Close all descriptors."""
        self.hand_over()
        self.control.close()


class ProcessRuntime(Runtime):
    """Runs each operator as a process, in a mount namespace where that is permitted.

    Parameters
    ----------
    job_id, environment
        As of every runtime.
    devices
        GPUs that operators get as many of as they request; ``None`` leaves them what the
        environment says.
    """

    def __init__(
        self, job_id: str, environment: Mapping[str, str], devices: Sequence[str] | None = None
    ) -> None:
        super().__init__(job_id, environment)
        self._devices = None if devices is None else Devices(devices)

    async def prepare(self, payload: Payload, operators: Iterable[tuple[Operator, Image]]) -> str:
        """Find out whether declared paths can be shown."""
        self._mount_root = payload.mount_root
        if not any(payload.inputs(each) or payload.outputs(each) for each, _ in operators):
            return ""
        refusal = await _probe_mounts(payload.mount_root)
        self.shows_paths = not refusal
        if not refusal:
            return ""
        return (
            f"declared paths such as /input are not shown to operators ({refusal}); they "
            "find their folders in NVIDIA_CLARA_INPUTPATHS and NVIDIA_CLARA_OUTPUTPATHS, "
            "and nothing keeps them from writing into their inputs"
        )

    def base_environment(self) -> dict[str, str]:
        """Give the runner's own variables, without another job's."""
        return base_environment(self.environment)

    def connect(self, memory: JobMemory, operator: str) -> InheritedConnections:
        """Make descriptors to be inherited."""
        return InheritedConnections(memory, operator)

    async def start(self, launch: Launch, connections: Connections) -> StartedOperator:
        """Start a launcher that starts the operator."""
        descriptors = connections.descriptors
        plan = {
            "descriptors": descriptors,
            "root": str(self._mount_root),
            "mounts": [
                (str(entry.folder), entry.path, "r" if entry.is_input else "rw")
                for entry in launch.entries
                if self.shows_paths
            ],
            "directory": str(launch.directory),
        }

        def command(link: int) -> list[str]:
            return [*_PROGRAM, json.dumps({**plan, "link": link}), *launch.command]

        environment = {**launch.environment, **self._visible_devices(launch)}
        return await OperatorProcess.spawn(launch, command, environment, descriptors)

    def _visible_devices(self, launch: Launch) -> dict[str, str]:
        if self._devices is None:
            return {}
        devices = self._devices.take(launch.requests.gpu)
        # Numbers are those of the driver's tools, and not in the order of speed.
        return {"CUDA_VISIBLE_DEVICES": ",".join(devices), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}

    async def close(self) -> None:
        """Do nothing: launchers leave nothing behind."""


class OperatorProcess(StartedOperator):
    """An operator below its launcher."""

    async def exceed_memory(self) -> int:
        """Look at its memory now and then; a peak between two looks goes unseen."""
        limit = self._launch.requests.memory * _MEGABYTE
        if not limit:
            return await super().exceed_memory()
        while True:
            began = time.monotonic()
            if memory_bound(self._parent.pid) > limit:
                used = await asyncio.to_thread(memory_used, self._parent.pid)
                if used > limit:
                    return used
            took = time.monotonic() - began
            await asyncio.sleep(max(_LOOK_EVERY, _REST * took))

    def _exited(self, code: int, memory: int | None) -> Exit:
        # The kernel counts in units of 1024 bytes.
        return Exit(code, None if memory is None else memory * 1024, self._error)

    async def _lose_parent(self, code: int) -> Exit:
        """Take the end of an operator whose launcher was killed; this process inherits the rest."""
        ended = Exit(code, None, f"its launcher ended with status {code}")
        if self.pid is not None:
            with contextlib.suppress(ChildProcessError):  # It dies with its launcher.
                _, status = await asyncio.to_thread(os.waitpid, self.pid, 0)
                ended = Exit(os.waitstatus_to_exitcode(status), None, self._error)
        names = ("NVIDIA_CLARA_JOBID", "NVIDIA_CLARA_STAGENAME")
        kill_orphans(*(f"{name}={self._launch.environment[name]}" for name in names))
        return ended


async def _probe_mounts(root: Path) -> str:
    """Find out whether operators may have mounts of their own.

    Returns
    -------
    str
        Empty if they may, else the reason why not.
    """
    probe = await asyncio.create_subprocess_exec(
        *_PROGRAM,
        "--probe",
        str(root),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await probe.communicate()
    if probe.returncode == 0:
        return ""
    return output.decode(errors="replace").strip() or f"status {probe.returncode}"
