# SPDX-License-Identifier: Apache-2.0
"""Everything this library raises on purpose.

::

    FastIOError
    ├── NotFoundError          (LookupError)      no such context, variable, pipeline, job, payload
    ├── AlreadyExistsError                        the name is taken
    ├── ClosedError            (ValueError)       this object was closed here
    ├── FreedError                                the storage was freed for everybody
    ├── NotAllocatedError                         the variable has no memory yet
    ├── NotReadyError                             nothing was written yet
    ├── ReadOnlyError          (PermissionError)  only the producer may write
    ├── ShapeError             (ValueError)       dimensions do not fit the declaration
    ├── ElementTypeError       (TypeError)        element type does not fit the declaration
    ├── OutOfMemoryError       (MemoryError)      memory is short; `requested`, `available`
    ├── LockConflictError                         the lock is held, and nobody waited
    ├── LockTimeoutError       (TimeoutError)     the lock was not free in time
    ├── LockAbandonedError                        the writer died or gave up; the content is torn
    ├── PeerDiedError                             a process that was waited for has died
    ├── HostDiedError                             the process that hosts the context has died
    ├── HostUnresponsiveError  (TimeoutError)     the host did not answer in time
    ├── SealError                                 the kernel's seal is not as it must be
    ├── LayoutError                               shared tables hold values that cannot be
    ├── VersionMismatchError                      the peer speaks another protocol version
    ├── ForkedContextError                        an object of the parent was used in a forked child
    ├── SystemCallError        (OSError)          the system refused; `errno`
    ├── DeviceError
    │   ├── DeviceNotFoundError
    │   ├── DeviceIpcUnavailableError
    │   └── CudaError
    ├── DriverError
    │   ├── PhaseError         (RuntimeError)     not legal in this phase
    │   └── CallbackError                         a handler failed; `phase`
    ├── PipelineError
    │   ├── DefinitionError                       `file`, `line`, `column`, `problems`
    │   └── OperatorError                         `operator`, `phase`, `traceback_text`
    └── PlatformError
        ├── InvalidRequestError    (ValueError)
        ├── PreconditionError
        ├── NotOfferedError
        ├── UnauthenticatedError
        ├── PermissionDeniedError  (PermissionError)
        ├── UnavailableError       (ConnectionError)
        └── DeadlineExceededError  (TimeoutError)

Arguments of a wrong type or value raise plain :class:`TypeError` and :class:`ValueError`.
"""

from __future__ import annotations

from typing import Any


class FastIOError(Exception):
    """Base of everything this library raises on purpose.

    Parameters
    ----------
    message
        One sentence: what was wanted, what was found, what to do.
    **data
        Facts for programs; each becomes an attribute.
    """

    def __init__(self, message: str = "", **data: Any) -> None:
        super().__init__(message)
        self.message = message
        for name, value in data.items():
            setattr(self, name, value)

    def __str__(self) -> str:
        return self.message


class NotFoundError(FastIOError, LookupError):
    """There is no context, allocation, variable or other thing of that name."""


class AlreadyExistsError(FastIOError):
    """The name is taken."""


class ClosedError(FastIOError, ValueError):
    """This object was released or closed in this process."""


class FreedError(FastIOError):
    """The storage was freed for everybody."""


class NotAllocatedError(FastIOError):
    """The variable has no memory yet: update its shape, then allocate it."""


class NotReadyError(FastIOError):
    """Nothing was written yet."""


class ReadOnlyError(FastIOError, PermissionError):
    """Only the producer may write."""


class ShapeError(FastIOError, ValueError):
    """Dimensions do not fit the declaration or the memory."""


class ElementTypeError(FastIOError, TypeError):
    """The element type is unknown, or does not fit the declaration."""


class OutOfMemoryError(FastIOError, MemoryError):
    """A limit of memory is reached; the message names it."""

    requested: int = 0
    available: int = 0


class LockConflictError(FastIOError):
    """The lock is held and the caller did not want to wait."""


class LockTimeoutError(FastIOError, TimeoutError):
    """The lock was not free in time."""


class LockAbandonedError(FastIOError):
    """The last writer died or gave up while writing: the content is torn."""


class PeerDiedError(FastIOError):
    """A process that was waited for has died."""


class HostDiedError(FastIOError):
    """The process that hosts the context has died, and the context with it."""


class HostUnresponsiveError(FastIOError, TimeoutError):
    """The host did not answer in time; it may be stopped."""


class SealError(FastIOError):
    """The kernel's seal on the memory is not what it must be."""


class LayoutError(FastIOError):
    """Shared tables hold values that cannot be."""


class VersionMismatchError(FastIOError):
    """The peer speaks another version of the protocol; the message names both."""


class ForkedContextError(FastIOError):
    """An object of the parent process was used in a forked child."""


class SystemCallError(FastIOError, OSError):
    """The operating system refused a call."""

    def __init__(self, message: str = "", *, errno: int = 0, **data: Any) -> None:
        super().__init__(message, **data)
        self.errno = errno


class DeviceError(FastIOError):
    """Device memory failed."""


class DeviceNotFoundError(DeviceError):
    """There is no such device."""


class DeviceIpcUnavailableError(DeviceError):
    """No mechanism can share this device memory; the message holds every refusal."""


class CudaError(DeviceError):
    """The CUDA driver refused a call; `status` is its number."""

    status: int = 0


class DriverError(FastIOError):
    """The life cycle of a driver failed."""


class PhaseError(DriverError, RuntimeError):
    """The call is not legal in this phase of the driver."""


class CallbackError(DriverError):
    """A handler returned False or raised; `phase` says which, `__cause__` holds the original."""

    phase: str = ""


class PipelineError(FastIOError):
    """A pipeline could not be run."""


class DefinitionError(PipelineError):
    """A pipeline definition is wrong; `problems` lists everything that was found."""

    file: str = ""
    line: int = 0
    column: int = 0
    problems: tuple[Any, ...] = ()


class OperatorError(PipelineError):
    """An operator failed; the first failure of a job."""

    operator: str = ""
    phase: str = ""
    traceback_text: str = ""


class PlatformError(FastIOError):
    """The platform answered with an error."""


class InvalidRequestError(PlatformError, ValueError):
    """A field of the request is wrong."""


class PreconditionError(PlatformError):
    """The object is not in a state that allows this."""


class NotOfferedError(PlatformError):
    """This server does not offer the operation."""


class UnauthenticatedError(PlatformError):
    """The caller did not say who it is."""


class PermissionDeniedError(PlatformError, PermissionError):
    """The caller may not do this."""


class UnavailableError(PlatformError, ConnectionError):
    """The server was not reached; the call may be repeated."""


class DeadlineExceededError(PlatformError, TimeoutError):
    """The server did not answer in time."""


#: The classes by the code of the core's `Errc`, in its order.
ERROR_CLASSES: tuple[type[Exception], ...] = (
    ValueError,
    NotFoundError,
    AlreadyExistsError,
    ClosedError,
    FreedError,
    NotAllocatedError,
    NotReadyError,
    ReadOnlyError,
    ShapeError,
    ElementTypeError,
    OutOfMemoryError,
    LockConflictError,
    LockTimeoutError,
    LockAbandonedError,
    PeerDiedError,
    HostDiedError,
    HostUnresponsiveError,
    SealError,
    LayoutError,
    VersionMismatchError,
    ForkedContextError,
    SystemCallError,
    DeviceError,
    DeviceNotFoundError,
    DeviceIpcUnavailableError,
    CudaError,
)
