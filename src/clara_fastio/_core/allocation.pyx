# SPDX-License-Identifier: Apache-2.0
"""Raw shared memory: private until it is published under a name."""

from libcpp.memory cimport shared_ptr
from libcpp.string cimport string

from clara_fastio._core.array cimport dtype_of, element_number, element_type_of, shape_of
from clara_fastio._core.device cimport transport_of, uuid_of
from clara_fastio._core.libfastio cimport CAccessMode, CElementType, CEntry, CShape
from clara_fastio._core.deadline cimport wait_time
from clara_fastio._core.mapping cimport OpenMappings, access_mode, open_mapping

from clara_fastio._core import arguments
from clara_fastio.errors import ClosedError, FastIOError
from clara_fastio.types import MemoryKind

cdef object _ZERO = 0


cdef object wrap(Allocation made, shared_ptr[CEntry]& entry, object context):
    made._entry = entry
    made._mappings = OpenMappings(context)
    return made


cdef class Allocation:
    """A reference to shared memory, made by `Context.create` and `Context.get`.

    The memory lives until the last reference of any process is gone; publishing takes one for the
    job, which `free` gives up. Every process of the context may write it; for content that only
    its producer may change, use a variable.

    Notes
    -----
    Holds its context. Arrays and mappings stay valid when it is released.
    """

    def __init__(self):
        raise TypeError("use Context.create() or Context.get()")

    def __dealloc__(self):
        if self._entry.use_count() == 1:
            with nogil:
                self._entry.reset()

    @property
    def nbytes(self):
        """Bytes of an array of this shape, at first as many as were asked for.

        0 while a dimension is not known.
        """
        cdef CShape shape = self._shape()
        return 0 if shape.is_dynamic() else shape.nbytes(self._held().get().element_type())

    @property
    def name(self):
        """The name it is published under, or None."""
        cdef string name = self._held().get().name()
        return None if name.empty() else (<bytes> name).decode()

    @property
    def shape(self):
        """The dimensions; all bytes in one until they are set."""
        return shape_of(self._shape())

    @property
    def dtype(self):
        """The element type as numpy has it; `uint8` until it is set."""
        return dtype_of(self._held().get().element_type())

    @property
    def element_type(self):
        """The element type as an `ElementType`, which is a str."""
        return element_type_of(self._held().get().element_type())

    @property
    def is_published(self):
        """Whether it has a name under which others find it."""
        return self._held().get().is_published()

    def set_type_and_dimensions(self, element_type, dimensions):
        """Say what the bytes are; everybody who gets the memory sees it.

        Parameters
        ----------
        element_type
            A name, a short alias such as ``"f32"``, or a numpy dtype.
        dimensions
            At most 32 sizes, outermost first.

        Raises
        ------
        ShapeError
            The memory is too small, or a size is negative.
        ElementTypeError
            There is no such type.
        """
        cdef CElementType number = <CElementType> element_number(element_type)
        cdef CShape shape = CShape.of(arguments.dimensions(dimensions, declared=False))
        cdef shared_ptr[CEntry] entry = self._held()
        with nogil:
            entry.get().describe(number, shape)

    def publish(self, name):
        """Let every process of the context find the memory; it then outlives this reference.

        Parameters
        ----------
        name
            1 to 255 bytes of UTF-8.

        Raises
        ------
        AlreadyExistsError
            The name is taken, or the allocation has one.
        """
        cdef string text = arguments.text(name, "the name of an allocation")
        cdef shared_ptr[CEntry] entry = self._held()
        with nogil:
            entry.get().publish(text)

    @property
    def memory(self):
        """Where its bytes lie, as a `MemoryKind`: ``"host"`` or ``"device"``."""
        return MemoryKind.DEVICE if self._held().get().is_on_device() else MemoryKind.HOST

    @property
    def device(self):
        """The UUID of its device; None on the host, and while its producer has not chosen one."""
        return uuid_of(self._held().get().device_record().device)

    @property
    def transport(self):
        """How its device memory comes to this process and why not better, as a `Transport`.

        Opens the memory here if it was not yet.
        """
        cdef shared_ptr[CEntry] entry = self._held()
        return transport_of(entry.get()[0])

    def map(self, mode=None, *, timeout=_ZERO, bint dirty=False, stream=None):
        """Lock the memory and make its bytes an array.

        Any number of readers may have it mapped at once, or one writer.

        Parameters
        ----------
        mode
            ``"r"`` reads; ``"w"`` writes a whole new content; ``"r+"`` changes it in place. By
            default ``"w"``, and ``"r"`` for a variable that another process produces.
        timeout
            Seconds to wait for the lock, and for a first content to read; 0 does not wait, None
            waits for ever.
        dirty
            Read without the lock, beside a writer.
        stream
            The CUDA stream on which memory of a device is used: a stream of cupy, torch, numba or
            cuda.core, or its handle. By default cupy's current stream. What the stream is given
            inside the mapping comes after the work of others, and before what they do next; the
            host does not wait for it.

        Returns
        -------
        Mapping
            Holds the lock until it ends. A context manager that gives the array.

        Raises
        ------
        LockConflictError
            It is locked and `timeout` is 0, or maps of the calling thread are in the way.
        LockTimeoutError
            It was still locked after `timeout`.
        NotReadyError
            Nothing was written within `timeout`.
        NotAllocatedError
            It is to be written and a dimension is not known.
        LockAbandonedError
            The last writer died or gave up; a whole new content puts it right.
        ReadOnlyError
            It is to be written and another process is the producer.
        FreedError
            Its memory was freed for everybody.
        PeerDiedError
            Whoever could have written it first has died; or its last writer died before its work
            on the device was done.
        DeviceNotFoundError
            Its device is not one that this process sees.
        DeviceIpcUnavailableError
            The device memory cannot be opened here; the message holds every refusal.
        CudaError
            The driver refused a call.

        Notes
        -----
        Nothing is copied. Signals are handled while it waits.
        """
        cdef CAccessMode access = access_mode(
            self._default_mode() if mode is None else mode, dirty
        )
        return open_mapping(self._held(), access, wait_time(timeout), self._mappings, stream)

    def unmap(self):
        """Close the one mapping that this object has open, and commit what was written.

        Raises
        ------
        ClosedError
            No mapping is open, or several are.
        """
        self._held()
        self._mappings.only().close()

    def release(self):
        """Give up this reference at once.

        Published memory stays for others, as do mappings that are open.

        Raises
        ------
        ClosedError
            It was given up before.
        """
        label = repr(self)
        cdef shared_ptr[CEntry] entry
        entry.swap(self._entry)  # Of several threads one has it then.
        if not entry:
            self._held()  # Raises.
        self._label = label
        with nogil:
            entry.reset()

    def free(self):
        """Give up this reference, and let nobody find the memory any more.

        References, mappings and arrays that exist stay valid; the memory goes back when the last
        of them is gone.

        Raises
        ------
        ClosedError
            It was given up before.
        FreedError
            Another process has freed it.
        """
        cdef shared_ptr[CEntry] entry = self._held()
        with nogil:
            entry.get().free()
        self.release()

    def __repr__(self):
        if self._label is not None:
            return self._label
        kind = type(self).__name__
        if not self._entry:
            return f"<{kind}, released>"
        try:
            name = repr(self.name) if self.is_published else "unpublished"
            return f"<{kind} {name}, {self.element_type} {self.shape}>"
        except FastIOError as error:  # A debugger or a log must not fail on it.
            return f"<{kind}, {error}>"

    cdef shared_ptr[CEntry] _held(self) except *:
        if not self._entry:
            raise ClosedError(f"{self._label or 'the allocation'} was released or freed here")
        return self._entry

    cdef CShape _shape(self) except *:
        cdef shared_ptr[CEntry] entry = self._held()
        cdef CShape shape
        with nogil:  # It may have to map the content to look at it.
            shape = entry.get().shape()
        return shape

    cdef object _default_mode(self):
        return "w"
