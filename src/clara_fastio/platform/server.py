# SPDX-License-Identifier: Apache-2.0
"""The server: puts the parts together, and takes them apart in the opposite order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection

from clara_fastio.platform.devices import Devices
from clara_fastio.platform.jobs.capacity import machine_resources
from clara_fastio.platform.jobs.log_retention import Retention
from clara_fastio.platform.jobs.manager import JobManager
from clara_fastio.platform.jobs.settings import JobSettings
from clara_fastio.platform.listening import access_of, bind
from clara_fastio.platform.metrics import Metrics, Snapshot
from clara_fastio.platform.payloads.store import PayloadStore
from clara_fastio.platform.payloads.usage import StorageLimits
from clara_fastio.platform.records import identity, payloads
from clara_fastio.platform.records.database import Database
from clara_fastio.platform.root import Root
from clara_fastio.platform.services.clara import ClaraService
from clara_fastio.platform.services.departures import tell_of_departures_briefly
from clara_fastio.platform.services.dispatch import Dispatcher
from clara_fastio.platform.services.jobs import JobsService
from clara_fastio.platform.services.models import ModelsService
from clara_fastio.platform.services.payloads import PayloadsService
from clara_fastio.platform.services.pipelines import PipelinesService
from clara_fastio.platform.wire.methods import SERVICE_NAMES
from clara_fastio.runner import Images, load_images
from clara_fastio.runner.runtimes.devices import device_names, parse_devices

if TYPE_CHECKING:
    from pathlib import Path

    from clara_fastio.platform.access import Access
    from clara_fastio.platform.jobs.execution import Outcome
    from clara_fastio.platform.records.jobs import JobRecord
    from clara_fastio.platform.settings import ServerSettings
    from clara_fastio.platform.wire.codes import Code
    from clara_fastio.platform.wire.methods import Method

_LOG = logging.getLogger("clara_fastio.platform")
_ROOM_FOR_FIELDS = 64 << 10


class Server:
    """A platform server of one root.

    Thread safety: only on the loop that :meth:`start` was called on.

    Parameters
    ----------
    settings
        How it is to be run.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._stack = contextlib.AsyncExitStack()
        self._health = HealthServicer()
        self._metrics = Metrics()
        self._server: grpc.aio.Server | None = None
        self._manager: JobManager | None = None
        #: Where it listens, once it does.
        self.address = ""

    async def start(self) -> None:
        """Open everything and listen.

        Raises
        ------
        AlreadyExistsError
            Another server uses the root.
        PreconditionError
            The root and the records do not go together.
        InvalidRequestError
            The settings would let strangers in.
        UnavailableError
            The address is taken, or the database cannot be reached.
        """
        access = access_of(self._settings)
        tell_of_departures_briefly()
        async with contextlib.AsyncExitStack() as stack:
            root = Root(self._settings.root)
            stack.callback(root.close)
            database = Database(self._settings.database_url)
            stack.callback(database.close)
            root_id = root.claim(await database.read(identity.find))
            await database.write(lambda connection: identity.keep(connection, root_id))
            limits = StorageLimits(
                self._settings.storage_percentage, self._settings.payload_capacity
            )
            store = PayloadStore(root.path, limits)
            await asyncio.to_thread(store.sweep, await database.read(payloads.all_ids))
            payloads_service = PayloadsService(database, store)
            stack.callback(payloads_service.close)
            job_settings = _job_settings(self._settings, root.path)
            manager = JobManager(database, store, job_settings, self._observe_job)
            self._manager = manager
            stack.push_async_callback(manager.close)
            await manager.open()
            services = {
                "Clara": ClaraService(Devices(), manager.stop_services),
                "Jobs": JobsService(manager, database, job_settings.logs),
                "Models": ModelsService(),
                "Payloads": payloads_service,
                "Pipelines": PipelinesService(database),
            }
            self._show_metrics(stack, manager, store)
            self._server = self._make_server(access, services)
            self.address = bind(self._server, self._settings)
            await self._server.start()
            stack.push_async_callback(self._server.stop, 0)
            self._stack = stack.pop_all()
        for name in ("", *SERVICE_NAMES.values()):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        _LOG.info("listening on %s", self.address)

    async def drain(self) -> None:
        """Start no more jobs, let those that run end or evict them, then the same with calls.

        Calls are answered until all jobs have stopped, so that clients see how theirs ended.
        """
        await self._health.enter_graceful_shutdown()
        if self._manager is not None:
            await self._manager.close(self._settings.drain)
        if self._server is not None:
            await self._server.stop(self._settings.grace)
        await self._stack.aclose()

    def _make_server(self, access: Access, services: dict[str, object]) -> grpc.aio.Server:
        largest = self._settings.message_bytes + _ROOM_FOR_FIELDS
        server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", largest),
                ("grpc.max_send_message_length", largest),
                ("grpc.so_reuseport", 0),  # Else a second server would share the port in silence.
            ],
            maximum_concurrent_rpcs=self._settings.calls,
        )
        dispatcher = Dispatcher(access.admit, self._observe)
        server.add_generic_rpc_handlers(
            tuple(dispatcher.handler(name, service) for name, service in services.items())
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = (*SERVICE_NAMES.values(), health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server)
        return server

    def _show_metrics(
        self, stack: contextlib.AsyncExitStack, manager: JobManager, store: PayloadStore
    ) -> None:
        if self._settings.metrics_port is None:
            return

        def look() -> Snapshot:
            now = manager.activity()
            return Snapshot(now.running, now.queued, now.operators, now.memory, store.usage.total)

        self._metrics.watch(look)
        port, close = self._metrics.serve(self._settings.host, self._settings.metrics_port)
        stack.callback(close)
        _LOG.info("metrics on %s:%d", self._settings.host, port)

    def _observe(self, method: Method, code: Code, seconds: float) -> None:
        _LOG.debug("%s answered %s in %.6f s", method.path, code.name, seconds)
        self._metrics.observe_call(method, code, seconds)

    def _observe_job(self, job: JobRecord, outcome: Outcome) -> None:
        started, stopped = job.started or 0, job.stopped or 0
        _LOG.info("job %s stopped: %s", job.id, job.status.name, extra={"job": job.id})
        seconds = (stopped - started) / 1e9
        self._metrics.observe_job(job.status.name, seconds, outcome.edges, outcome.frames)


def _job_settings(settings: ServerSettings, root: Path) -> JobSettings:
    gpus = settings.gpus
    devices = device_names(os.environ) if gpus is None else parse_devices(gpus)
    capacity = replace(machine_resources(), gpu=len(devices))
    if settings.memory is not None:
        capacity = replace(capacity, memory=min(capacity.memory, settings.memory))
    return JobSettings(
        root=root,
        images=Images() if settings.images is None else load_images(settings.images),
        allow_any_command=settings.allow_any_command,
        slots=settings.slots,
        capacity=capacity,
        devices=devices,
        service_data=settings.service_data and settings.service_data.absolute(),
        runtime=settings.runtime,
        timeout_default=settings.timeout_default,
        timeout_maximum=settings.timeout_maximum,
        grace=settings.grace,
        log_limit=settings.log_size or None,
        retention=Retention(settings.log_days or None, settings.log_capacity or None),
    )
