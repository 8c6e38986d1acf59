# SPDX-License-Identifier: Apache-2.0
"""Services of pipelines: programs that run beside the jobs and are shared by them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clara_fastio.errors import PipelineError
from clara_fastio.platform.jobs.supervision import public_environment
from clara_fastio.runner.environment import base_environment, expand

if TYPE_CHECKING:
    from pathlib import Path

    from clara_fastio.pipeline import Pipeline, Service
    from clara_fastio.platform.jobs.settings import JobSettings
    from clara_fastio.platform.jobs.supervision import Supervision

_LOG = logging.getLogger("clara_fastio.platform")
_HOST = "127.0.0.1"
#: Seconds that a service may take until it listens.
_PATIENCE = 60.0
_LOOK_EVERY = 0.02
#: Tells services where the files are that they all share.
_DATA = "NVIDIA_CLARA_SERVICE_DATA_PATH"

Key = tuple[str, tuple[str, ...]]


@dataclass
class _Running:
    """A service that was started: its ports, its folder, and a future of its end."""

    id: str
    ports: tuple[int, ...]
    folder: Path
    ended: asyncio.Future[int] | None = None
    ready: asyncio.Lock = field(default_factory=asyncio.Lock)
    is_ready: bool = False

    @property
    def is_alive(self) -> bool:
        return self.ended is None or not self.ended.done()


class ServicePool:
    """Starts services before the first job that asks for them; others share them.

    Services with the same image, tag and command are one. One that has ended is started again for
    the next job. All end with the server, or by :meth:`stop`.

    Thread safety: only on one loop.
    """

    def __init__(self, supervision: Supervision, settings: JobSettings) -> None:
        self._supervision = supervision
        self._settings = settings
        self._services: dict[Key, _Running] = {}

    async def provide(self, pipeline: Pipeline) -> dict[str, dict[str, str]]:
        """Make sure that all services of a pipeline run.

        Returns
        -------
        dict
            For each operator that has services, the variables with their addresses.

        Raises
        ------
        PipelineError
            A service ended before it listened, or did not listen in time.
        SystemCallError
            It cannot be started.
        """
        found: dict[str, dict[str, str]] = {}
        for operator in pipeline.operators:
            for service in operator.services:
                running = await self._get(service)
                found.setdefault(operator.name, {}).update(_addresses(service, running))
        return found

    async def stop(self) -> None:
        """End all services; jobs that use them notice."""
        stopping, self._services = self._services, {}
        for running in stopping.values():
            await self._supervision.kill(running.id)
        ended = [running.ended for running in stopping.values() if running.ended is not None]
        if ended:
            await asyncio.wait(ended)

    async def _get(self, service: Service) -> _Running:
        key = (service.image, service.command)
        await self._drop_if_dead(key)
        running = self._services.get(key)
        if running is None or not running.is_alive:
            running = self._services[key] = self._prepare(service)
        async with running.ready:
            if not running.is_ready:
                try:
                    await self._start(service, running)
                except BaseException:
                    self._services.pop(key, None)
                    await self._supervision.kill(running.id)
                    raise
                running.is_ready = True
        return running

    async def _drop_if_dead(self, key: Key) -> None:
        """Forget a service that does not listen any more, though its end was not heard of yet."""
        running = self._services.get(key)
        if running is None or not running.is_ready or not running.is_alive:
            return
        for port in running.ports:
            if await _listens(port):
                continue
            if self._services.get(key) is running:
                del self._services[key]
            await self._supervision.kill(running.id)
            return

    def _prepare(self, service: Service) -> _Running:
        """Decide where a service will be found."""
        service_id = f"service-{uuid.uuid4().hex}"
        ports = [each.port or _free_port() for each in service.connections if each.kind == "http"]
        return _Running(service_id, tuple(ports), self._settings.scratch / service_id)

    async def _start(self, service: Service, running: _Running) -> None:
        for port in running.ports:
            if await _listens(port):
                raise PipelineError(
                    f"the service {service.name!r} cannot start: its port {port} is taken"
                )
        running.folder.mkdir(exist_ok=True)
        log = running.folder / "log"
        mine, theirs = socket.socketpair()
        with mine, theirs:
            mine.setblocking(False)
            running.ended = await self._supervision.start(running.id, theirs, "service")
            plan = self._plan(service, running, log)
            with contextlib.suppress(ConnectionError):  # Its end tells the rest.
                await asyncio.get_running_loop().sock_sendall(mine, plan)
        _LOG.info("service %r starts as %s", service.name, running.id)
        await self._wait_until_it_listens(service, running, log)

    def _plan(self, service: Service, running: _Running, log: Path) -> bytes:
        image = self._settings.images.resolve(service.name, service.image, service.command)
        environment = base_environment(public_environment(os.environ))
        environment |= dict(image.environment) | _addresses(service, running)
        environment[_DATA] = str(self._settings.data_of_services)
        if running.ports:
            environment["PORT"] = str(running.ports[0])
        environment |= service.variables
        plan = {
            "command": expand(image.command, environment),
            "environment": environment,
            "directory": str(image.directory or log.parent),
            "log": str(log),
            "log_limit": self._settings.log_limit,
        }
        return json.dumps(plan).encode() + b"\n"

    async def _wait_until_it_listens(self, service: Service, running: _Running, log: Path) -> None:
        deadline = time.monotonic() + _PATIENCE
        for port in running.ports:
            while not await _listens(port):
                if not running.is_alive:
                    said = await asyncio.to_thread(_last_line, log)
                    said = said.replace(str(self._settings.data_of_services), f"${_DATA}")
                    raise PipelineError(
                        f"the service {service.name!r} ended before it listened on port {port}"
                        + (f"; it said: {said}" if said else "")
                    )
                if time.monotonic() > deadline:
                    raise PipelineError(
                        f"the service {service.name!r} did not listen on port {port} within "
                        f"{_PATIENCE:g} s"
                    )
                await asyncio.sleep(_LOOK_EVERY)


def _addresses(service: Service, running: _Running) -> dict[str, str]:
    """Say by the connections' names where a service is, whoever has started it."""
    found = {}
    ports = iter(running.ports)
    for connection in service.connections:
        if connection.kind == "http":
            port = next(ports, None)
            if port is None or connection.port not in {None, port}:
                raise PipelineError(
                    f"the service {service.name!r} runs already, on other ports than this pipeline "
                    f"asks for: {', '.join(map(str, running.ports)) or 'none'}"
                )
            found[connection.name] = f"{_HOST}:{port}"
        else:
            folder = running.folder / "volumes" / connection.name
            folder.mkdir(parents=True, exist_ok=True)
            found[connection.name] = str(folder)
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(_HOST, port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return lines[-1][:500] if lines else ""
