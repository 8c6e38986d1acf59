# SPDX-License-Identifier: Apache-2.0
"""From failed calls to the errors of the library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc

from clara_fastio.errors import (
    DeadlineExceededError,
    FastIOError,
    NotOfferedError,
    PlatformError,
    UnavailableError,
)
from clara_fastio.platform._proto import common_pb2
from clara_fastio.platform.wire.codes import ERROR_KEY, Code, error_from

if TYPE_CHECKING:
    from clara_fastio.platform.wire.methods import Method

_OWN_WORDS = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNIMPLEMENTED}


def from_header(header: common_pb2.ResponseHeader, trailing: Any) -> FastIOError:
    """Restore the error that the server raised."""
    name = next((value for key, value in trailing or () if key == ERROR_KEY), "")
    return error_from(header, name)


def from_rpc(error: grpc.aio.AioRpcError, method: Method, address: str) -> FastIOError:
    """Say what became of a call that has no answer."""
    status, details = error.code(), error.details() or ""
    call = f"{method.service}.{method.name}"
    if status is grpc.StatusCode.UNAVAILABLE:
        reason = details.rpartition("last error: ")[2].removeprefix("UNKNOWN: ")
        return UnavailableError(
            f"the server at {address} was not reached ({reason}); is it running there "
            "('clara serve'), and does it use TLS if and only if this client does?",
            address=address,
        )
    if status is grpc.StatusCode.DEADLINE_EXCEEDED:
        return deadline_exceeded(method, address)
    if status is grpc.StatusCode.UNIMPLEMENTED:
        return NotOfferedError(
            f"what listens at {address} does not know the call {call}; is it a platform server?"
        )
    number = -int(status.value[0])
    text = details or f"{call} at {address} failed: {status.name}"
    if number in {code.value for code in Code} and number != Code.INTERNAL:
        return error_from(common_pb2.ResponseHeader(code=number, messages=[text]))
    return PlatformError(f"{call} at {address} failed: {text}")


def deadline_exceeded(method: Method, address: str) -> DeadlineExceededError:
    """Say that nobody answered in time."""
    return DeadlineExceededError(
        f"the server at {address} did not answer {method.service}.{method.name} in time; "
        "it may be overloaded, and what was asked for may still happen",
        address=address,
    )
