# SPDX-License-Identifier: Apache-2.0
"""Declarations of variables and edges, checked in terms of Python before the core sees them."""

from libc.stdint cimport uint64_t

from clara_fastio._core.array cimport element_number, element_type_of, shape_of
from clara_fastio._core.device cimport device_of
from clara_fastio._core.libfastio cimport (
    CDeclaration,
    CEdgeOptions,
    CElementType,
    CEntry,
    CMemory,
    COrder,
    CPolicy,
    CShape,
)

from clara_fastio._core import arguments
from clara_fastio.errors import AlreadyExistsError, ElementTypeError, ShapeError
from clara_fastio.streams import Policy, Queue, policy_of
from clara_fastio.types import MemoryKind

# In the order of the core's numbers, from 1.
cdef tuple _POLICIES = (None, *Policy)


cdef CEdgeOptions edge_of(object name, object policy, object share, object deadline) except *:
    cdef CEdgeOptions options
    if name is not None and share is not None:
        raise TypeError("an edge has a name or is that of a group (share), not both")
    if share is not None:
        options.name = arguments.text(share, "the name of a group")
        options.is_shared = True
    elif name is not None:
        options.name = arguments.text(name, "the name of an edge")
    if policy is not None:
        kind, parameter = policy_of(policy)
        options.policy = <CPolicy> <int> _POLICIES.index(kind)
        options.parameter = parameter
    if deadline is not None:
        options.deadline_ns = max(0, arguments.nanoseconds(deadline))
    return options


cdef int set_queue(CDeclaration& declaration, object queue) except -1:
    if not isinstance(queue, Queue):
        raise TypeError(f"a queue is a Queue, not {type(queue).__name__}")
    kind, parameter = policy_of(queue.policy)
    declaration.queue.depth = queue.depth
    declaration.queue.policy = <CPolicy> <int> _POLICIES.index(kind)
    declaration.queue.parameter = parameter
    declaration.queue.spin_ns = <uint64_t> (queue.spin * 1e9)
    cdef CShape largest
    if queue.max_shape is not None:
        largest = CShape.of(arguments.dimensions(queue.max_shape, declared=False))
        if not largest.fits(declaration.shape):
            raise ShapeError(
                f"max_shape {queue.max_shape} does not fit the declared shape "
                f"{shape_of(declaration.shape)}"
            )
        declaration.queue.slot_nbytes = largest.nbytes(declaration.element_type)
    elif declaration.shape.is_dynamic():
        raise ShapeError(
            f"the shape {shape_of(declaration.shape)} is dynamic; say with Queue(max_shape=...) "
            "how large a frame can get"
        )
    else:
        declaration.queue.slot_nbytes = declaration.shape.nbytes(declaration.element_type)
    return 0


cdef bint may_stage(object fallback) except -1:
    if fallback is not None and fallback != MemoryKind.HOST:
        raise ValueError(f"a fallback of device memory is 'host' or None; found {fallback!r}")
    return fallback is not None


cdef int set_memory(
    CDeclaration& declaration, object memory, object device, object fallback, object pinned
) except -1:
    """Say where the data lies."""
    if memory not in tuple(MemoryKind):
        raise ValueError(
            f"memory is one of {', '.join(repr(str(kind)) for kind in MemoryKind)}; found {memory!r}"
        )
    if memory == MemoryKind.DEVICE:
        if pinned:
            raise ValueError("pinned is for memory of the host, which devices then reach directly")
        declaration.memory = CMemory.device
        declaration.device = device_of(device)
        declaration.may_stage = may_stage(fallback)
        return 0
    if device is not None or fallback is not None:
        raise ValueError("device and fallback belong to memory='device'")
    declaration.is_pinned = bool(pinned)
    return 0


cdef CDeclaration declaration_of(
    object name, object shape, object dtype, object order, bint is_sealed, object queue
) except *:
    cdef CDeclaration declaration
    declaration.name = arguments.text(name, "the name of a variable")
    declaration.shape = CShape.of(arguments.dimensions(shape, declared=True))
    declaration.element_type = <CElementType> element_number(dtype)
    declaration.order = COrder.column_major if arguments.order(order) else COrder.row_major
    declaration.is_sealed = is_sealed
    if not declaration.shape.is_dynamic():
        declaration.shape.nbytes(declaration.element_type)  # Raises when it overflows.
    if queue is not None:
        set_queue(declaration, queue)
    return declaration


cdef int require_same(object found, CEntry* entry, const CDeclaration& wanted) except -1:
    """Raise unless what has the name was declared in the same way."""
    if not entry.is_variable():
        raise AlreadyExistsError(f"the name is taken by an allocation, {found!r}")
    if entry.element_type() != wanted.element_type:
        raise ElementTypeError(
            f"{found.name!r} was declared with element type {found.element_type}, "
            f"not {element_type_of(wanted.element_type)}"
        )
    if not entry.declared_shape() == wanted.shape:
        raise ShapeError(
            f"{found.name!r} was declared with shape {found.declared_shape}, "
            f"not {shape_of(wanted.shape)}"
        )
    if entry.order() != wanted.order:
        raise ShapeError(f"{found.name!r} was declared with order {found.order!r}, not the other")
    if entry.is_sealed() != wanted.is_sealed:
        raise AlreadyExistsError(
            f"{found.name!r} was declared with sealed={entry.is_sealed()}, not {wanted.is_sealed}"
        )
    if entry.is_on_device() != (wanted.memory == CMemory.device):
        raise AlreadyExistsError(
            f"{found.name!r} was declared with memory={str(found.memory)!r}, not the other"
        )
    if not wanted.device.is_any() and not entry.device_record().device == wanted.device:
        raise AlreadyExistsError(
            f"{found.name!r} was declared on the device {found.device}, not on the one asked for"
        )
    if entry.may_stage() != wanted.may_stage or entry.is_pinned() != wanted.is_pinned:
        raise AlreadyExistsError(
            f"{found.name!r} was declared with fallback={'host' if entry.may_stage() else None!r} "
            f"and pinned={entry.is_pinned()}; declare it alike"
        )
    if (
        entry.queue().slots != wanted.queue.depth
        or (entry.queue().slots != 0 and (
            entry.queue().slot_nbytes != wanted.queue.slot_nbytes
            or entry.queue().policy != wanted.queue.policy
            or entry.queue().parameter != wanted.queue.parameter
        ))
    ):
        raise AlreadyExistsError(
            f"{found.name!r} was declared with another queue: {found.queue}"
        )
    return 0
