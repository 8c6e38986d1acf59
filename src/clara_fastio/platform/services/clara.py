# SPDX-License-Identifier: Apache-2.0
"""The service Clara: the server itself."""

from __future__ import annotations

import asyncio
import re
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, ClassVar

from clara_fastio.platform._proto import clara_pb2, common_pb2
from clara_fastio.platform.services.dispatch import Role
from clara_fastio.platform.wire import timestamps
from clara_fastio.platform.wire.identifiers import to_wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from clara_fastio.platform.devices import Devices
    from clara_fastio.platform.services.dispatch import Call

_NUMBERS = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?[.-]?(.*)")
_WATCH_EVERY = 1.0


class ClaraService:
    """Version, use of the devices, and the end of all pipeline services.

    Parameters
    ----------
    devices
        What there is to be used.
    stop_services
        Ends every service that pipelines have started.
    """

    roles: ClassVar[Mapping[str, Role]] = {"version": Role.READ, "utilization": Role.READ}

    def __init__(self, devices: Devices, stop_services: Callable[[], Awaitable[None]]) -> None:
        self._devices = devices
        self._stop_services = stop_services

    async def version(
        self, _: clara_pb2.ClaraVersionRequest, _call: Call
    ) -> clara_pb2.ClaraVersionResponse:
        """Say which version this is."""
        numbers = _NUMBERS.fullmatch(version("clara-fastio"))
        if numbers is None:
            return clara_pb2.ClaraVersionResponse()
        major, minor, patch, label = numbers.groups()
        return clara_pb2.ClaraVersionResponse(
            version=common_pb2.Version(
                major=int(major), minor=int(minor), patch=int(patch or 0), label=label
            )
        )

    async def stop(self, _: clara_pb2.ClaraStopRequest, _call: Call) -> clara_pb2.ClaraStopResponse:
        """Halt all services of pipelines and release what they hold; the server goes on."""
        await self._stop_services()
        return clara_pb2.ClaraStopResponse()

    async def utilization(
        self, request: clara_pb2.ClaraUtilizationRequest, _: Call
    ) -> AsyncIterator[clara_pb2.ClaraUtilizationResponse]:
        """Say how the devices are used, once or every second."""
        while True:
            samples = await asyncio.to_thread(self._devices.sample)
            now = timestamps.to_wire(time.time_ns())
            answer = clara_pb2.ClaraUtilizationResponse()
            for sample in samples:
                metrics = answer.gpu_metrics.add(
                    node_id=sample.node,
                    pcie_id=sample.pcie,
                    compute_utilization=sample.compute,
                    memory_free=sample.memory_free,
                    memory_used=sample.memory_used,
                    memory_utilization=sample.memory,
                    timestamp=now,
                )
                for process in sample.processes:
                    metrics.process_details.add(name=process.name, job_id=to_wire(process.job_id))
            yield answer
            if not request.watch:
                return
            await asyncio.sleep(_WATCH_EVERY)
