# SPDX-License-Identifier: Apache-2.0
"""What the exit status of ``clara`` means; the table stands in ``docs/cli.md``."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from clara_fastio import errors

if TYPE_CHECKING:
    from clara_fastio.runner.result import RunResult


class ExitCode(IntEnum):
    """Exit statuses below those of signals."""

    OK = 0
    INTERNAL = 1
    USAGE = 2
    OPERATOR_FAILED = 3
    NOT_FOUND = 4
    ALREADY_EXISTS = 5
    PRECONDITION = 6
    OUT_OF_MEMORY = 7
    DEADLINE = 8
    DATA_LOSS = 9
    UNAVAILABLE = 10
    CANCELED = 11


#: The first class that fits decides; the order matters where one is another's parent.
_BY_CLASS: tuple[tuple[type[Exception], ExitCode], ...] = (
    (errors.OperatorError, ExitCode.OPERATOR_FAILED),
    (errors.PipelineError, ExitCode.USAGE),
    (errors.NotFoundError, ExitCode.NOT_FOUND),
    (errors.AlreadyExistsError, ExitCode.ALREADY_EXISTS),
    (errors.InvalidRequestError, ExitCode.USAGE),
    (errors.NotOfferedError, ExitCode.USAGE),
    (errors.ShapeError, ExitCode.USAGE),
    (errors.ElementTypeError, ExitCode.USAGE),
    (errors.PreconditionError, ExitCode.PRECONDITION),
    (errors.NotAllocatedError, ExitCode.PRECONDITION),
    (errors.FreedError, ExitCode.PRECONDITION),
    (errors.ReadOnlyError, ExitCode.PRECONDITION),
    (errors.PermissionDeniedError, ExitCode.PRECONDITION),
    (errors.UnauthenticatedError, ExitCode.PRECONDITION),
    (errors.NotReadyError, ExitCode.PRECONDITION),
    (errors.LockConflictError, ExitCode.PRECONDITION),
    (errors.OutOfMemoryError, ExitCode.OUT_OF_MEMORY),
    (errors.LockTimeoutError, ExitCode.DEADLINE),
    (errors.HostUnresponsiveError, ExitCode.DEADLINE),
    (errors.DeadlineExceededError, ExitCode.DEADLINE),
    (errors.LockAbandonedError, ExitCode.DATA_LOSS),
    (errors.LayoutError, ExitCode.DATA_LOSS),
    (errors.HostDiedError, ExitCode.UNAVAILABLE),
    (errors.UnavailableError, ExitCode.UNAVAILABLE),
)

#: By the values of RunStatus, which is not imported: the runner is slow to load.
_BY_STATUS = {
    "succeeded": ExitCode.OK,
    "failed": ExitCode.OPERATOR_FAILED,
    "timed-out": ExitCode.DEADLINE,
}

#: A shell adds this to the number of the signal that ended a program.
_SIGNALLED = 128
_SIGINT = 2


def exit_code_of(error: Exception) -> int:
    """Give the exit status for an error of the library."""
    for kind, code in _BY_CLASS:
        if isinstance(error, kind):
            return code
    return ExitCode.INTERNAL


def exit_code_of_run(result: RunResult) -> int:
    """Give the exit status for the end of a job."""
    if result.status == "interrupted":
        return _SIGNALLED + (result.signal or _SIGINT)
    return _BY_STATUS[result.status]
