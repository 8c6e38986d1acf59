# SPDX-License-Identifier: Apache-2.0
"""Errors on the wire: a code below zero in the header of an answer whose gRPC status is OK.

The code is minus the number of the gRPC status with the same meaning, so that anybody can look it
up. The name of the class travels beside the answer, in the trailing metadata :data:`ERROR_KEY`,
because several classes share a code.
"""

from __future__ import annotations

from enum import IntEnum

from clara_fastio import errors
from clara_fastio.platform._proto import common_pb2

#: Key of the trailing metadata that holds the name of an error's class.
ERROR_KEY = "clara-error"


class Code(IntEnum):
    """What the header of an answer says."""

    OK = 0
    INVALID_ARGUMENT = -3
    DEADLINE_EXCEEDED = -4
    NOT_FOUND = -5
    ALREADY_EXISTS = -6
    PERMISSION_DENIED = -7
    RESOURCE_EXHAUSTED = -8
    FAILED_PRECONDITION = -9
    NOT_OFFERED = -12
    INTERNAL = -13
    UNAVAILABLE = -14
    DATA_LOSS = -15
    UNAUTHENTICATED = -16


#: The first class that fits decides; of those with one code, the first stands for it at a client.
_CODES: tuple[tuple[type[errors.FastIOError], Code], ...] = (
    (errors.NotFoundError, Code.NOT_FOUND),
    (errors.AlreadyExistsError, Code.ALREADY_EXISTS),
    (errors.InvalidRequestError, Code.INVALID_ARGUMENT),
    (errors.DefinitionError, Code.INVALID_ARGUMENT),
    (errors.ShapeError, Code.INVALID_ARGUMENT),
    (errors.ElementTypeError, Code.INVALID_ARGUMENT),
    (errors.PreconditionError, Code.FAILED_PRECONDITION),
    (errors.PipelineError, Code.FAILED_PRECONDITION),
    (errors.NotAllocatedError, Code.FAILED_PRECONDITION),
    (errors.NotReadyError, Code.FAILED_PRECONDITION),
    (errors.FreedError, Code.FAILED_PRECONDITION),
    (errors.PermissionDeniedError, Code.PERMISSION_DENIED),
    (errors.ReadOnlyError, Code.PERMISSION_DENIED),
    (errors.UnauthenticatedError, Code.UNAUTHENTICATED),
    (errors.OutOfMemoryError, Code.RESOURCE_EXHAUSTED),
    (errors.DeadlineExceededError, Code.DEADLINE_EXCEEDED),
    (errors.LockTimeoutError, Code.DEADLINE_EXCEEDED),
    (errors.NotOfferedError, Code.NOT_OFFERED),
    (errors.UnavailableError, Code.UNAVAILABLE),
    (errors.LayoutError, Code.DATA_LOSS),
    (errors.LockAbandonedError, Code.DATA_LOSS),
)

_CLASSES: dict[str, type[errors.FastIOError]] = {
    name: value
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, errors.FastIOError)
}


def code_of(error: BaseException) -> Code:
    """Find the code of an error; what is not meant for a caller is internal."""
    for error_class, code in _CODES:
        if isinstance(error, error_class):
            return code
    return Code.INTERNAL


def header_of(error: BaseException) -> common_pb2.ResponseHeader:
    """Make the header that answers with an error; it has at least one message."""
    code = code_of(error)
    text = str(error) if code is not Code.INTERNAL else ""
    lines = text.splitlines() or ["internal error; the server's log says more"]
    return common_pb2.ResponseHeader(code=code, messages=lines)


def error_from(header: common_pb2.ResponseHeader, class_name: str = "") -> errors.FastIOError:
    """Make the error that an answer's header tells of.

    Parameters
    ----------
    header
        Its code is below zero.
    class_name
        The value of :data:`ERROR_KEY`, if the server sent it. A name that does not belong to the
        code is passed over.
    """
    text = "\n".join(header.messages) or f"the server answered with code {header.code}"
    named = _CLASSES.get(class_name)
    if named is not None and header.code != Code.INTERNAL:
        error = named(text)
        if code_of(error) == header.code:
            return error
    for error_class, code in _CODES:
        if code == header.code:
            return error_class(text)
    return errors.PlatformError(text)
