# SPDX-License-Identifier: Apache-2.0
"""The server itself."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from clara_fastio.platform.client import reading
from clara_fastio.platform.client.models import ServerVersion

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from clara_fastio.platform.client.models import GpuUtilization
    from clara_fastio.platform.client.transport import Transport


class AsyncServer:
    """Version and devices of the server, and the end of the services that pipelines started."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def version(self) -> ServerVersion:
        """Say which version it is."""
        found = (await self._transport.call("Clara", "Version")).version
        return ServerVersion(
            major=found.major, minor=found.minor, patch=found.patch, label=found.label
        )

    async def stop_services(self) -> None:
        """Halt all services of pipelines and release what they hold; the server goes on."""
        await self._transport.call("Clara", "Stop")

    async def utilization(self) -> tuple[GpuUtilization, ...]:
        """Say how the GPUs are used now."""
        answers = self._transport.stream("Clara", "Utilization", watch=False)
        return tuple(
            [each async for answer in answers for each in reading.utilization(answer.gpu_metrics)]
        )

    async def watch_utilization(self) -> AsyncGenerator[tuple[GpuUtilization, ...], None]:
        """Yield how the GPUs are used, again and again, until the iteration is left."""
        answers = self._transport.stream("Clara", "Utilization", watch=True)
        async with contextlib.aclosing(answers):
            async for answer in answers:
                yield reading.utilization(answer.gpu_metrics)
