# SPDX-License-Identifier: Apache-2.0
"""Typed, shaped and named shared memory that one process produces and others read."""

from libc.stdint cimport int64_t, uint64_t
from libcpp cimport bool
from libcpp.memory cimport shared_ptr
from libcpp.string cimport string

from clara_fastio._core.allocation cimport Allocation
from clara_fastio._core.array cimport element_number, element_type_of, shape_of
from clara_fastio._core.libfastio cimport (
    CDeclaration,
    CElementType,
    CEntry,
    COrder,
    CShape,
    nanoseconds,
)
from clara_fastio._core.mapping cimport Deadline, wait_time

from clara_fastio._core import arguments
from clara_fastio._core.attributes import Attributes
from clara_fastio.errors import (
    AlreadyExistsError,
    ElementTypeError,
    FastIOError,
    NotReadyError,
    ShapeError,
)


cdef class Variable(Allocation):
    """A named allocation with an element type and a shape, made by `Context.variable`.

    One process produces it, and the kernel keeps all others from writing. Dimensions that were
    declared as None are dynamic: the producer sets them with `update_shape`.
    """

    def __init__(self):
        raise TypeError("use Context.variable(), Context.declare() or context[name]")

    @property
    def declared_shape(self):
        """The dimensions as declared, None where dynamic."""
        return shape_of(self._held().get().declared_shape())

    @property
    def shape(self):
        """The dimensions of the content, or those of the next write after `update_shape`."""
        return shape_of(self._shape())

    @property
    def order(self):
        """``"C"`` for row-major arrays, ``"F"`` for column-major ones."""
        return "F" if self._held().get().order() == COrder.column_major else "C"

    @property
    def is_dynamic(self):
        """Whether any dimension was declared dynamic."""
        return self._held().get().declared_shape().is_dynamic()

    @property
    def dynamic_indices(self):
        """The indices of the dimensions that were declared dynamic."""
        return tuple([i for i, size in enumerate(self.declared_shape) if size is None])

    @property
    def access(self):
        """``"rw"`` for the producer and who may become it, ``"r"`` for everybody else."""
        return "rw" if self._held().get().may_write() else "r"

    @property
    def is_allocated(self):
        """Whether it has memory."""
        return self._held().get().is_allocated()

    @property
    def version(self):
        """Committed writes so far."""
        cdef shared_ptr[CEntry] entry = self._held()
        cdef uint64_t version
        with nogil:  # It may have to map the content to look at it.
            version = entry.get().version()
        return version

    @property
    def attrs(self):
        """Small facts that travel with the content, as a dictionary; see `Attributes`."""
        self._held()
        return Attributes(self)

    @attrs.setter
    def attrs(self, values):
        self._held()
        Attributes(self).replace(values)

    def update_shape(self, shape):
        """Set all dimensions that the next write has.

        Parameters
        ----------
        shape
            A size for each dimension. Those that were declared keep their values; 0 is a length.

        Raises
        ------
        ShapeError
            It does not fit the declaration, or no dimension is dynamic.
        ReadOnlyError
            Another process is the producer.
        """
        cdef CShape wanted = CShape.of(arguments.dimensions(shape, declared=False))
        cdef shared_ptr[CEntry] entry = self._held()
        with nogil:
            entry.get().update_shape(wanted)

    def allocate(self):
        """Reserve the memory for the shape; nothing when it has memory already.

        Raises
        ------
        NotAllocatedError
            A dimension is not known: call `update_shape` first.
        ReadOnlyError
            Another process is the producer.
        OutOfMemoryError
            A limit is reached; the message names it.
        """
        cdef shared_ptr[CEntry] entry = self._held()
        with nogil:
            entry.get().allocate()

    def wait(self, *, version=1, timeout=None):
        """Wait until a number of writes were committed.

        Parameters
        ----------
        version
            How many at least.
        timeout
            Seconds; None waits for ever.

        Returns
        -------
        int
            The version that was reached, maybe a later one.

        Raises
        ------
        NotReadyError
            It was not reached in time.
        PeerDiedError
            The producer has died before.
        FreedError
            It was freed before.
        """
        cdef uint64_t wanted = arguments.integer(version, "a version", 0, 2**63 - 1)
        cdef Deadline deadline = Deadline(wait_time(timeout))
        cdef shared_ptr[CEntry] entry = self._held()
        cdef int64_t length = 0
        cdef bool is_reached
        with nogil:
            is_reached = entry.get().wait_for_version(wanted, nanoseconds(0))
        while not is_reached:
            length = deadline.next_slice()
            if length == 0:
                raise NotReadyError(
                    f"{self!r}: version {wanted} was not reached"
                    + (" in time" if deadline.is_wait else "; wait with a timeout")
                )
            with nogil:
                is_reached = entry.get().wait_for_version(wanted, nanoseconds(length))
        return entry.get().version()

    def __repr__(self):
        if self._label is not None or not self._entry:
            return Allocation.__repr__(self)
        try:
            return f"<Variable {self.name!r}, {self.element_type} {self.shape}>"
        except FastIOError as error:
            return f"<Variable, {error}>"

    cdef object _default_mode(self):
        return "w" if self._held().get().may_write() else "r"

    def _read_attributes(self):
        cdef shared_ptr[CEntry] entry = self._held()
        cdef string json
        with nogil:
            json = entry.get().attributes()
        return (<bytes> json).decode(errors="replace")

    def _write_attributes(self, text):
        cdef string json = text.encode()
        cdef shared_ptr[CEntry] entry = self._held()
        with nogil:
            entry.get().set_attributes(json)


cdef CDeclaration declaration_of(
    object name, object shape, object dtype, object order, bint is_sealed
) except *:
    cdef CDeclaration declaration
    declaration.name = arguments.text(name, "the name of a variable")
    declaration.shape = CShape.of(arguments.dimensions(shape, declared=True))
    declaration.element_type = <CElementType> element_number(dtype)
    declaration.order = COrder.column_major if arguments.order(order) else COrder.row_major
    declaration.is_sealed = is_sealed
    if not declaration.shape.is_dynamic():
        declaration.shape.nbytes(declaration.element_type)  # Raises when it overflows.
    return declaration


cdef int require_same(Allocation found, CEntry* entry, const CDeclaration& wanted) except -1:
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
    return 0
