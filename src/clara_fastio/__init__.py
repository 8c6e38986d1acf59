# SPDX-License-Identifier: Apache-2.0
"""Hand volumes, frames and tensors from operator to operator of one machine without copying."""

import typing as _typing

from clara_fastio._core import (
    Allocation,
    Context,
    Frame,
    FrameMaker,
    Frames,
    Mapping,
    OpenFrame,
    Variable,
    capabilities,
    create_context,
    list_contexts,
    open_context,
)
from clara_fastio.devices import Capabilities, DeviceInfo, Transport
from clara_fastio.errors import (
    AlreadyExistsError,
    CallbackError,
    ClosedError,
    CudaError,
    DeadlineExceededError,
    DefinitionError,
    DeviceError,
    DeviceIpcUnavailableError,
    DeviceNotFoundError,
    DriverError,
    ElementTypeError,
    FastIOError,
    ForkedContextError,
    FreedError,
    HostDiedError,
    HostUnresponsiveError,
    InvalidRequestError,
    LayoutError,
    LockAbandonedError,
    LockConflictError,
    LockTimeoutError,
    NotAllocatedError,
    NotFoundError,
    NotOfferedError,
    NotReadyError,
    OperatorError,
    OutOfMemoryError,
    PeerDiedError,
    PermissionDeniedError,
    PhaseError,
    PipelineError,
    PlatformError,
    PreconditionError,
    ReadOnlyError,
    SealError,
    ShapeError,
    SystemCallError,
    UnauthenticatedError,
    UnavailableError,
    VersionMismatchError,
)
from clara_fastio.gathering import Gather, gather
from clara_fastio.streams import EdgeInfo, Policy, Queue, StreamInfo
from clara_fastio.types import AccessMode, ElementType, EntryInfo, MemoryKind, ProcessInfo

if _typing.TYPE_CHECKING:
    from clara_fastio.compat import install_as_clara
    from clara_fastio.driver import Driver, Payload

__all__ = [
    "AccessMode",
    "Allocation",
    "AlreadyExistsError",
    "CallbackError",
    "Capabilities",
    "ClosedError",
    "Context",
    "CudaError",
    "DeadlineExceededError",
    "DefinitionError",
    "DeviceError",
    "DeviceInfo",
    "DeviceIpcUnavailableError",
    "DeviceNotFoundError",
    "Driver",
    "DriverError",
    "EdgeInfo",
    "ElementType",
    "ElementTypeError",
    "EntryInfo",
    "FastIOError",
    "ForkedContextError",
    "Frame",
    "FrameMaker",
    "Frames",
    "FreedError",
    "Gather",
    "HostDiedError",
    "HostUnresponsiveError",
    "InvalidRequestError",
    "LayoutError",
    "LockAbandonedError",
    "LockConflictError",
    "LockTimeoutError",
    "Mapping",
    "MemoryKind",
    "NotAllocatedError",
    "NotFoundError",
    "NotOfferedError",
    "NotReadyError",
    "OpenFrame",
    "OperatorError",
    "OutOfMemoryError",
    "Payload",
    "PeerDiedError",
    "PermissionDeniedError",
    "PhaseError",
    "PipelineError",
    "PlatformError",
    "Policy",
    "PreconditionError",
    "ProcessInfo",
    "Queue",
    "ReadOnlyError",
    "SealError",
    "ShapeError",
    "StreamInfo",
    "SystemCallError",
    "Transport",
    "UnauthenticatedError",
    "UnavailableError",
    "Variable",
    "VersionMismatchError",
    "capabilities",
    "create_context",
    "gather",
    "install_as_clara",
    "list_contexts",
    "open_context",
]

#: Imported when first asked for, because a program that only shares memory needs none of it.
_LATE = {
    "Driver": "clara_fastio.driver",
    "Payload": "clara_fastio.driver",
    "install_as_clara": "clara_fastio.compat",
}


def __getattr__(name: str) -> object:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    found = getattr(importlib.import_module(_LATE[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATE})
