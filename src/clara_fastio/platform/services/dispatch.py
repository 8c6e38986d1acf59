# SPDX-License-Identifier: Apache-2.0
"""Serves every rpc of a service by the method of the same name.

A service is an object with one coroutine, or async generator, per rpc, named in snake case. It
takes the request (or an async iterator of requests) and a :class:`Call`, and gives the answer (or
yields answers), whose header it leaves alone; when it yields none, a header goes out alone. What it
raises becomes a header with a code below zero, as :mod:`clara_fastio.platform.wire.codes` says. An
answer that is ``bytes`` is sent as it is, with the header that it has. A service may read requests
itself: its ``readers`` name, for an rpc, what makes a request out of its bytes.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message import DecodeError

from clara_fastio.errors import FastIOError, InvalidRequestError
from clara_fastio.platform._proto import common_pb2
from clara_fastio.platform.wire.codes import ERROR_KEY, Code, code_of, header_of
from clara_fastio.platform.wire.methods import METHODS, SERVICE_NAMES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from google.protobuf.message import Message

    from clara_fastio.platform.wire.methods import Method

_LOG = logging.getLogger("clara_fastio.platform")
_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")


class Role(IntEnum):
    """What a caller may do; each includes those before it."""

    READ = 1
    SUBMIT = 2
    ADMIN = 3


@dataclass(frozen=True)
class Call:
    """Who calls."""

    role: Role
    peer: str


class Dispatcher:
    """Makes handlers of gRPC out of the methods of services.

    Parameters
    ----------
    admit
        Called before each rpc.
    observe
        Called after each rpc.
    """

    def __init__(
        self,
        admit: Callable[[Method, grpc.aio.ServicerContext[Any, Any], Role], Call],
        observe: Callable[[Method, Code, float], None],
    ) -> None:
        self._admit = admit
        self._observe = observe

    def handler(self, service: str, servicer: object) -> grpc.GenericRpcHandler[Any, Any]:
        """Serve a service; it must have a method for every rpc."""
        readers: Mapping[str, Callable[[bytes], Any]] = getattr(servicer, "readers", {})
        handlers = {
            name: self._rpc(
                method,
                getattr(servicer, snake_case(name)),
                role_of(servicer, name),
                readers.get(snake_case(name), method.request.FromString),
            )
            for name, method in METHODS[service].items()
        }
        return grpc.method_handlers_generic_handler(SERVICE_NAMES[service], handlers)

    def _rpc(
        self,
        method: Method,
        behave: Callable[..., Any],
        role: Role,
        read: Callable[[bytes], Any],
    ) -> grpc.RpcMethodHandler[Any, Any]:
        kind = f"{'stream' if method.takes_stream else 'unary'}_"
        kind += "stream" if method.gives_stream else "unary"
        make = getattr(grpc, f"{kind}_rpc_method_handler")
        serve = self._streaming if method.gives_stream else self._single
        handler: grpc.RpcMethodHandler[Any, Any] = make(
            serve(method, behave, role),
            request_deserializer=_telling(read),
            response_serializer=_serialise,
        )
        return handler

    def _single(
        self, method: Method, behave: Callable[..., Awaitable[Message | bytes]], role: Role
    ) -> Callable[[Any, grpc.aio.ServicerContext[Any, Any]], Awaitable[Message | bytes]]:
        async def serve(
            request: Any, context: grpc.aio.ServicerContext[Any, Any]
        ) -> Message | bytes:
            begun = time.monotonic()
            code = Code.OK
            try:
                call = self._admit(method, context, role)
                given = _whole(request, context) if method.takes_stream else _readable(request)
                return with_header(await behave(given, call))
            except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets an answer
                code = code_of(error)
                answer: Message = _failure(method, error, context)
                return answer
            finally:
                self._observe(method, code, time.monotonic() - begun)

        return serve

    def _streaming(
        self, method: Method, behave: Callable[..., AsyncIterator[Message | bytes]], role: Role
    ) -> Callable[[Any, grpc.aio.ServicerContext[Any, Any]], AsyncIterator[Message | bytes]]:
        async def serve(
            request: Any, context: grpc.aio.ServicerContext[Any, Any]
        ) -> AsyncIterator[Message | bytes]:
            begun = time.monotonic()
            code = Code.OK
            is_first = True
            try:
                call = self._admit(method, context, role)
                async for answer in behave(_readable(request), call):
                    yield with_header(answer) if is_first else answer
                    is_first = False
                if is_first:
                    nothing: Message = method.response()
                    yield with_header(nothing)
            except Exception as error:  # noqa: BLE001 - as above
                code = code_of(error)
                failure: Any = _failure(method, error, context)
                yield failure
                if not is_first:
                    # Clients look at the first header only: they must not take this for the end.
                    await context.abort(grpc.StatusCode.ABORTED, "\n".join(failure.header.messages))
            finally:
                self._observe(method, code, time.monotonic() - begun)

        return serve


def snake_case(name: str) -> str:
    """Turn ``ReadLogs`` into ``read_logs``."""
    return _CAPITAL.sub("_", name).lower()


def role_of(servicer: object, name: str) -> Role:
    """Say who may call an rpc of a service: only an administrator, unless it says otherwise."""
    roles: Mapping[str, Role] = getattr(servicer, "roles", {})
    return roles.get(snake_case(name), Role.ADMIN)


def with_header(answer: Message | bytes) -> Message | bytes:
    """Mark an answer as good; one that is serialised has its header already."""
    if not isinstance(answer, bytes):
        answer.header.SetInParent()  # type: ignore[attr-defined]
    return answer


async def _whole(
    requests: AsyncIterator[Message], context: grpc.aio.ServicerContext[Any, Any]
) -> AsyncIterator[Message]:
    """Give what a client sends; ends only when the client has said that this is all."""
    async for request in requests:
        yield _readable(request)
    # A stream that breaks off also looks like one that has ended, for a moment, and nothing may be
    # kept of it. To the one nothing can be sent any more, to the other the beginning of an answer.
    try:
        await context.send_initial_metadata(())
    except Exception as error:
        raise asyncio.CancelledError("the client has gone") from error


class _Unreadable:
    """In place of a request that is none: what gRPC is told is answered with its own words."""


def _telling(read: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def attempt(data: bytes) -> Any:
        try:
            return read(data)
        except DecodeError:
            return _Unreadable()

    return attempt


def _readable(request: Any) -> Any:
    if isinstance(request, _Unreadable):
        raise InvalidRequestError("the bytes that came are not the message that this call takes")
    return request


def _serialise(answer: Message | bytes) -> bytes:
    return answer if isinstance(answer, bytes) else answer.SerializeToString()


def _failure(method: Method, error: Exception, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
    header = header_of(error)
    if header.code == Code.INTERNAL:
        ticket = uuid.uuid4().hex[:8]
        _LOG.error("%s failed, error %s", method.path, ticket, exc_info=error)
        text = f"internal error {ticket}; the server's log says more"
        header = common_pb2.ResponseHeader(code=Code.INTERNAL, messages=[text])
    elif isinstance(error, FastIOError):
        context.set_trailing_metadata(((ERROR_KEY, type(error).__name__),))
    return method.response(header=header)
