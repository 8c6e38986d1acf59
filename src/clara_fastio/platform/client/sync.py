# SPDX-License-Identifier: Apache-2.0
"""The client for programs without an event loop: the other one, with methods that block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from clara_fastio.platform.client.address import DEFAULT_ADDRESS
from clara_fastio.platform.client.aio import AsyncClient
from clara_fastio.platform.client.background import Shell, blocking, iterating, run
from clara_fastio.platform.client.jobs import AsyncJobs
from clara_fastio.platform.client.payloads import AsyncPayloads
from clara_fastio.platform.client.pipelines import AsyncPipelines
from clara_fastio.platform.client.server import AsyncServer

if TYPE_CHECKING:
    from clara_fastio.platform.client.address import Tls


class Pipelines(Shell[AsyncPipelines]):
    """Definitions under an id, from which jobs are created; see `AsyncPipelines`."""

    create = blocking(AsyncPipelines.create)
    update = blocking(AsyncPipelines.update)
    get = blocking(AsyncPipelines.get)
    list = blocking(AsyncPipelines.list)
    remove = blocking(AsyncPipelines.remove)
    add_metadata = blocking(AsyncPipelines.add_metadata)
    remove_metadata = blocking(AsyncPipelines.remove_metadata)


class Jobs(Shell[AsyncJobs]):
    """Runs of pipelines; see `AsyncJobs`."""

    create = blocking(AsyncJobs.create)
    start = blocking(AsyncJobs.start)
    cancel = blocking(AsyncJobs.cancel)
    get = blocking(AsyncJobs.get)
    list = blocking(AsyncJobs.list)
    logs = iterating(AsyncJobs.logs)
    watch = iterating(AsyncJobs.watch)
    wait = blocking(AsyncJobs.wait)
    add_metadata = blocking(AsyncJobs.add_metadata)
    remove_metadata = blocking(AsyncJobs.remove_metadata)


class Payloads(Shell[AsyncPayloads]):
    """The files of jobs, and files for jobs; see `AsyncPayloads`."""

    create = blocking(AsyncPayloads.create)
    get = blocking(AsyncPayloads.get)
    delete = blocking(AsyncPayloads.delete)
    remove = blocking(AsyncPayloads.remove)
    upload = blocking(AsyncPayloads.upload)
    write = blocking(AsyncPayloads.write)
    download = blocking(AsyncPayloads.download)
    read = iterating(AsyncPayloads.read)
    add_metadata = blocking(AsyncPayloads.add_metadata)
    remove_metadata = blocking(AsyncPayloads.remove_metadata)


class Server(Shell[AsyncServer]):
    """The server itself; see `AsyncServer`."""

    version = blocking(AsyncServer.version)
    stop_services = blocking(AsyncServer.stop_services)
    utilization = blocking(AsyncServer.utilization)
    watch_utilization = iterating(AsyncServer.watch_utilization)


class Client:
    """Talks to a platform server.

    Nothing is sent before the first call. Calls are not repeated; after one has failed because the
    server was not reached, the next ones look for it anew, at least once a second.

    Thread safety: any thread may call it, also several at a time.

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
    >>> from clara_fastio.platform import Client
    >>> def names() -> list[str]:
    ...     with Client("localhost") as client:
    ...         return [pipeline.name for pipeline in client.pipelines.list()]
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
        self._client = AsyncClient(
            address, token=token, tls=tls, insecure=insecure, timeout=timeout
        )
        self.pipelines = Pipelines(self._client.pipelines)
        self.jobs = Jobs(self._client.jobs)
        self.payloads = Payloads(self._client.payloads)
        self.server = Server(self._client.server)

    @property
    def address(self) -> str:
        """Where the server is."""
        return self._client.address

    def close(self) -> None:
        """End all calls and the connection."""
        run(self._client.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()
