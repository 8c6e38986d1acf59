# SPDX-License-Identifier: Apache-2.0
"""Calls rpcs by their names and turns what fails into errors."""

from __future__ import annotations

import asyncio
import logging
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar

import grpc

from clara_fastio.errors import ClosedError, InvalidRequestError, PlatformError
from clara_fastio.platform._proto import common_pb2
from clara_fastio.platform.client import address as addresses
from clara_fastio.platform.client.failures import deadline_exceeded, from_header, from_rpc
from clara_fastio.platform.wire.methods import METHODS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Awaitable

    from google.protobuf.message import Message

    from clara_fastio.platform.client.address import Tls
    from clara_fastio.platform.wire.methods import Method

_T = TypeVar("_T")

#: The answer to a stream may take that many times as long: a server writes out what it was sent.
_SETTLING = 20

_LOG = logging.getLogger("clara_fastio.platform.client")

#: What is read at the end of a stream.
_END = grpc.aio.EOF  # type: ignore[attr-defined]  # Not in the stubs.

#: Of the interface that the messages belong to.
_API = common_pb2.Version(major=0, minor=8, patch=1)
_OPTIONS = (
    ("grpc.max_receive_message_length", 16 << 20),
    # A server that was started again is found within a second, not after the usual two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)


class Transport:
    """A connection, made by the first call and again whenever it was lost.

    Parameters
    ----------
    address
        ``HOST`` or ``HOST:PORT``.
    token
        Sent with every call.
    tls
        Encrypt; without it nothing is.
    insecure
        Send a token unencrypted to another machine.
    timeout
        Seconds to wait for an answer; of a stream, for the next message.
    """

    def __init__(
        self,
        address: str,
        *,
        token: str | None,
        tls: Tls | None,
        insecure: bool,
        timeout: float | None,
    ) -> None:
        self.address = addresses.complete(address)
        self.timeout = timeout
        if token and tls is None and not (insecure or addresses.is_private(self.address)):
            raise InvalidRequestError(
                f"the token would go to {self.address} for everybody to read; "
                "use TLS, or say that it may be insecure"
            )
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()
        self._credentials = None if tls is None else tls.credentials()
        self._header = common_pb2.RequestHeader(
            api_version=_API, user_agent=f"clara-fastio/{version('clara-fastio')}"
        )
        self._channel: grpc.aio.Channel | None = None
        self._is_closed = False

    async def close(self) -> None:
        """End all calls; more are refused."""
        self._is_closed = True
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close(None)

    async def call(self, service: str, name: str, /, **fields: Any) -> Any:
        """Send one request and get one answer."""
        method = METHODS[service][name]
        request = method.request(header=self._header, **fields)
        return await self._single(method, self._begin(method, request, self.timeout))

    async def send(self, service: str, name: str, /, requests: AsyncIterable[Message]) -> Any:
        """Send a stream and get one answer; the time-out starts anew with each request."""
        method = METHODS[service][name]
        call = self._begin(method, None, None)
        try:
            async for request in requests:
                try:
                    await self._in_time(method, call.write(request))
                except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
                    break  # The server has answered without waiting for the rest.
            else:
                await self._in_time(method, call.done_writing())
            return await self._in_time(method, self._single(method, call), _SETTLING)
        finally:
            call.cancel()

    async def stream(self, service: str, name: str, /, **fields: Any) -> AsyncGenerator[Any, None]:
        """Send one request and yield the answers."""
        method = METHODS[service][name]
        call = self._begin(method, method.request(header=self._header, **fields), None)
        try:
            while True:
                answer = await self._in_time(method, call.read())
                if answer is _END:
                    return
                await self._check(method, call, answer)
                yield answer
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error, method, self.address) from error
        finally:
            call.cancel()

    def request(self, service: str, name: str, /, **fields: Any) -> Any:
        """Make one message of a stream to the server."""
        return METHODS[service][name].request(header=self._header, **fields)

    def _begin(self, method: Method, request: Any, timeout: float | None) -> Any:
        _LOG.debug("%s of %s", method.path, self.address)
        kind = f"{'stream' if method.takes_stream else 'unary'}_"
        kind += "stream" if method.gives_stream else "unary"
        begin = getattr(self._open(), kind)(
            method.path,
            request_serializer=method.request.SerializeToString,
            response_deserializer=method.response.FromString,
        )
        given = () if request is None else (request,)
        return begin(*given, timeout=timeout, metadata=self._metadata)

    def _open(self) -> grpc.aio.Channel:
        if self._is_closed:
            raise ClosedError(f"the client of {self.address} was closed; make another one")
        if self._channel is None:
            if self._credentials is None:
                self._channel = grpc.aio.insecure_channel(self.address, _OPTIONS)
            else:
                self._channel = grpc.aio.secure_channel(self.address, self._credentials, _OPTIONS)
        return self._channel

    async def _single(self, method: Method, call: Any) -> Any:
        try:
            answer = await call
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error, method, self.address) from error
        await self._check(method, call, answer)
        return answer

    async def _check(self, method: Method, call: Any, answer: Any) -> None:
        if answer is None:  # What grpc makes of bytes that cannot be read.
            raise PlatformError(
                f"the server at {self.address} answered {method.service}.{method.name} with "
                "something that is no message of the platform's"
            )
        if answer.header.code < 0:
            raise from_header(answer.header, await call.trailing_metadata())

    async def _in_time(self, method: Method, step: Awaitable[_T], factor: float = 1) -> _T:
        """Wait for one step of a call that as a whole may take any time."""
        seconds = None if self.timeout is None else self.timeout * factor
        try:
            async with asyncio.timeout(seconds) as limit:
                return await step
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise deadline_exceeded(method, self.address) from error
