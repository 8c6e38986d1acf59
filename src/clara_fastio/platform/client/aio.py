# SPDX-License-Identifier: Apache-2.0
"""The client for programs with an event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from clara_fastio.platform.client.address import DEFAULT_ADDRESS
from clara_fastio.platform.client.jobs import AsyncJobs
from clara_fastio.platform.client.payloads import AsyncPayloads
from clara_fastio.platform.client.pipelines import AsyncPipelines
from clara_fastio.platform.client.server import AsyncServer
from clara_fastio.platform.client.transport import Transport

if TYPE_CHECKING:
    from clara_fastio.platform.client.address import Tls


class AsyncClient:
    """Talks to a platform server, from one event loop.

    Nothing is sent before the first call. Calls are not repeated; after one has failed because the
    server was not reached, the next ones look for it anew, at least once a second.

    Parameters
    ----------
    address
        ``HOST`` or ``HOST:PORT``; the port is 30031 when left out.
    token
        For a server that asks for one.
    tls
        Encrypt; ``Tls()`` trusts the usual authorities.
    insecure
        Send the token unencrypted to another machine.
    timeout
        Seconds to wait for an answer, and in streams for each message; the answer to an upload may
        take twenty times as long. ``None`` waits for ever.

    Attributes
    ----------
    pipelines, jobs, payloads, server
        What can be done, by noun.

    Raises
    ------
    InvalidRequestError
        The address cannot be one, or the token would travel in the open.

    Examples
    --------
    >>> from clara_fastio.platform import AsyncClient
    >>> async def names() -> list[str]:
    ...     async with AsyncClient("localhost") as client:
    ...         return [pipeline.name for pipeline in await client.pipelines.list()]
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        token: str | None = None,
        tls: Tls | None = None,
        insecure: bool = False,
        timeout: float | None = 30,
    ) -> None:
        self._transport = Transport(
            address, token=token, tls=tls, insecure=insecure, timeout=timeout
        )
        self.pipelines = AsyncPipelines(self._transport)
        self.jobs = AsyncJobs(self._transport)
        self.payloads = AsyncPayloads(self._transport)
        self.server = AsyncServer(self._transport)

    @property
    def address(self) -> str:
        """Where the server is."""
        return self._transport.address

    async def close(self) -> None:
        """End all calls and the connection."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()
