# SPDX-License-Identifier: Apache-2.0
"""The container runtimes: each operator is a container, run by an engine's command line."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from clara_fastio.errors import PipelineError
from clara_fastio.runner.runtimes.devices import Devices, device_names
from clara_fastio.runner.runtimes.engine import JOB_LABEL, OWNER_LABEL, Container, Mount
from clara_fastio.runner.runtimes.kept import KeptContainer
from clara_fastio.runner.runtimes.mounted import INSIDE, MountedConnections
from clara_fastio.runner.runtimes.owner import is_dead, owner_mark
from clara_fastio.runner.runtimes.runtime import Connections, Runtime

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from clara_fastio.pipeline import Operator
    from clara_fastio.runner.images import Image
    from clara_fastio.runner.memory import JobMemory
    from clara_fastio.runner.payload import DiskEntry, Payload
    from clara_fastio.runner.runtimes.engine import Engine
    from clara_fastio.runner.runtimes.launch import Launch

_PROGRAM = (sys.executable, "-I", "-S", str(Path(__file__).with_name("keeper.py")))
#: What operators get of the runner's own variables.
_INHERITED = ("CLARA_TRACE", "CLARA_FASTIO_DEBUG")
#: What the client would act on: the service that the runner may be is not the container.
_NOT_FOR_CLIENT = {"NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"}
#: Seconds that an engine may take to answer a question.
_PATIENCE = 60.0


class ContainerRuntime(Runtime):
    """Runs each operator in a container.

    Parameters
    ----------
    job_id
        Whose operators.
    environment
        The runner's; the engine's client has it, operators do not.
    engine
        That runs them.
    devices
        GPUs for them; ``None`` for those that the environment names.
    """

    knows_entry_points = True

    def __init__(
        self,
        job_id: str,
        environment: Mapping[str, str],
        engine: Engine,
        devices: Sequence[str] | None = None,
    ) -> None:
        super().__init__(job_id, environment)
        self.shows_paths = True
        self._engine = engine
        self._devices = Devices(device_names(environment) if devices is None else devices)
        self._client_environment = {
            name: value for name, value in environment.items() if name not in _NOT_FOR_CLIENT
        }
        self._sweeping: asyncio.Task[None] | None = None

    async def prepare(self, payload: Payload, operators: Iterable[tuple[Operator, Image]]) -> str:
        """Find out whether the engine works and has the images; remove dead jobs' containers."""
        self._folder = payload.mount_root
        engine = self._engine
        engine.is_rootless = (await self._ask(engine.about(), "does not work here")) == "true"
        images = sorted({image.container for _, image in operators})
        await self._ask(
            engine.images(images),
            f"lacks an image; build it, or fetch it with '{engine.program} pull'",
        )
        self._sweeping = asyncio.create_task(self._sweep())
        return ""

    async def check(self) -> None:
        """Find out whether the engine works, whatever is to be run.

        Raises
        ------
        PipelineError
            It is not there, or does not work.
        """
        for command in (self._engine.version(), self._engine.about()):
            await self._ask(command, "does not work here")

    def base_environment(self) -> dict[str, str]:
        """Give what concerns the library; everything else is the image's affair."""
        own = self.environment
        inherited = {name: own[name] for name in _INHERITED if name in own}
        return {"PYTHONUNBUFFERED": "1", **inherited}

    def connect(self, memory: JobMemory, operator: str) -> MountedConnections:
        """Make a folder with sockets, to be mounted."""
        return MountedConnections(memory, operator, self._folder / operator)

    async def start(self, launch: Launch, _connections: Connections) -> KeptContainer:
        """Start a keeper that runs the container."""
        container = self._container_of(launch)
        remove = self._engine.remove(container.name)
        run = self._engine.run(container)

        def command(link: int) -> list[str]:
            return [*_PROGRAM, json.dumps({"link": link, "remove": remove}), *run]

        environment = {**self._client_environment, **container.client_environment}
        folder = self._folder / launch.operator
        started = await KeptContainer.spawn(launch, command, environment, directory=folder)
        started.remove_command = remove
        started.folder = folder
        return started

    async def close(self) -> None:
        """Wait for the removal of dead jobs' containers, and see that none of this one is left."""
        if self._sweeping is not None:
            await self._sweeping
            found = await self._find(f"{JOB_LABEL}={self.job_id}")
            if found:
                await self._run(self._engine.remove(*found))

    def _container_of(self, launch: Launch) -> Container:
        _make_mount_points(launch.entries)
        mounts = [
            Mount(str(self._folder / launch.operator), INSIDE, is_read_only=True),
            *(Mount(str(each.folder), each.path, each.is_input) for each in launch.entries),
        ]
        command = list(launch.command)
        return Container(
            name=f"clara-{self.job_id}-{launch.operator}",
            labels={JOB_LABEL: self.job_id, OWNER_LABEL: owner_mark()},
            image=launch.image.container,
            entry_point=command.pop(0) if launch.image.has_entry_point else "",
            arguments=command,
            environment=launch.environment,
            mounts=mounts,
            cpu=launch.requests.cpu,
            memory=launch.requests.memory,
            devices=self._devices.take(launch.requests.gpu),
        )

    async def _sweep(self) -> None:
        """Remove the containers of this user's jobs whose runners have ended."""
        if found := await self._find(OWNER_LABEL):
            code, output, _ = await self._run(self._engine.owners(found))
            owners = output.splitlines()
            dead = [each for each, owner in zip(found, owners, strict=False) if is_dead(owner)]
            if code == 0 and dead:
                await self._run(self._engine.remove(*dead))

    async def _find(self, label: str) -> list[str]:
        code, output, _ = await self._run(self._engine.find(label))
        return output.split() if code == 0 else []

    async def _ask(self, command: Sequence[str], problem: str) -> str:
        """Run a command that must succeed; gives its output without the last line end."""
        code, output, errors = await self._run(command)
        if code != 0:
            said = errors.strip() or f"status {code}"
            raise PipelineError(f"{command[0]} {problem}: {said}")
        return output.strip()

    async def _run(self, command: Sequence[str]) -> tuple[int, str, str]:
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=self._client_environment,
            )
        except OSError as error:
            return 127, "", f"the program {command[0]!r} cannot be started: {error.strerror}"
        try:
            async with asyncio.timeout(_PATIENCE):
                output, errors = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            return 124, "", f"it did not answer within {_PATIENCE:g} s"
        return (
            process.returncode or 0,
            output.decode(errors="replace"),
            errors.decode(errors="replace"),
        )


def _make_mount_points(entries: Sequence[DiskEntry]) -> None:
    """Make the folders on which paths below other declared paths are mounted."""
    for outer in entries:
        for inner in entries:
            path = PurePosixPath(inner.path)
            if inner is not outer and path.is_relative_to(outer.path):
                below = path.relative_to(outer.path)
                outer.folder.joinpath(below).mkdir(parents=True, exist_ok=True)
