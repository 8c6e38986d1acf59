# SPDX-License-Identifier: Apache-2.0
"""The directory of the shared memory of one job."""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libcpp cimport bool
from libcpp.memory cimport shared_ptr
from libcpp.string cimport string
from libcpp.vector cimport vector

from clara_fastio._core.allocation cimport Allocation, wrap
from clara_fastio._core.declaration cimport declaration_of, require_same, set_memory
from clara_fastio._core.inspection cimport entry_info, process_info
from clara_fastio._core.libfastio cimport (
    CContext,
    CDeclaration,
    CDeviceOptions,
    CEntry,
    CEntryInfo,
    CMemory,
    CProcessInfo,
    nanoseconds,
)
from clara_fastio._core.deadline cimport Deadline, wait_time
from clara_fastio._core.variable cimport Variable

import atexit
import sys
import warnings
import weakref

from clara_fastio._core import arguments
from clara_fastio.errors import AlreadyExistsError, ClosedError, NotFoundError, ReadOnlyError

# By the address of the core's object, so that opening a context twice gives the same object.
_contexts = weakref.WeakValueDictionary()


@atexit.register
def _close_all():
    for context in list(_contexts.values()):
        context.close()


cdef object context_of(shared_ptr[CContext]& context):
    known = _contexts.get(<size_t> context.get())
    if known is not None:
        return known
    cdef Context made = Context.__new__(Context)
    made._context = context
    made._name = (<bytes> context.get().name()).decode(errors="replace")
    made._role = (<bytes> context.get().role()).decode(errors="replace")
    made._is_host = context.get().is_host()
    frame = sys._getframe(0)
    made._site = f"{frame.f_code.co_filename}:{frame.f_lineno}"
    _contexts[<size_t> context.get()] = made
    return made


cdef class Context:
    """The shared memory of one job, made by `create_context` and `open_context`.

    A directory: ``context[name]`` finds a variable or allocation, ``name in context`` asks for
    one, iteration gives the names. As a context manager it closes itself.

    Notes
    -----
    One process hosts it. When that one ends, maps and arrays stay valid and everything else raises
    `HostDiedError`. In a forked child everything raises `ForkedContextError`.
    """

    def __init__(self):
        raise TypeError("use create_context() or open_context()")

    def __del__(self):
        if self.closed or self._context.get().is_foreign() or sys.is_finalizing():
            return
        try:
            warnings.warn(
                f"{self!r}, opened at {self._site}, was dropped without close()",
                ResourceWarning, stacklevel=1
            )
        finally:
            self.close()

    def __dealloc__(self):
        with nogil:
            self._context.reset()

    @property
    def name(self):
        """Its name."""
        return self._name

    @property
    def role(self):
        """What this process is in it: the name of an operator, or empty."""
        return self._role

    @property
    def is_host(self):
        """Whether this process hosts it."""
        return self._is_host

    @property
    def closed(self):
        """Whether it was closed in this process."""
        return self._context.get() == NULL or self._context.get().is_closed()

    def close(self):
        """End this process's part in it, and as host the context; closing twice is fine.

        Waits for nobody. Maps and arrays that exist stay valid.
        """
        cdef shared_ptr[CContext] context
        context.swap(self._context)  # One thread has it then.
        if context.get() == NULL:
            return
        _contexts.pop(<size_t> context.get(), None)
        with nogil:
            context.get().close()
            context.reset()  # With its last entry the tables go as well.

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        self.close()

    def declare(
        self, name, shape, dtype, *, order="C", producer=None, sealed=False, queue=None,
        memory="host", device=None, fallback=None, pinned=False
    ):
        """Make a variable that another process is going to produce.

        Parameters
        ----------
        name
            1 to 255 bytes of UTF-8.
        shape
            A size for each dimension, outermost first; None, -1 or 0 where it is known at run
            time only.
        dtype
            A name, a short alias such as ``"f32"``, or a numpy dtype.
        order
            ``"C"`` for row-major arrays, ``"F"`` for column-major ones.
        producer
            The role of the only process that may write it, as given to `connection`; None leaves
            it to whoever comes first.
        sealed
            Whether the first write is the last, for its producer as well.
        queue
            A `Queue`: the variable carries a stream of frames.
        memory
            ``"host"``, or ``"device"`` for arrays in the memory of a GPU.
        device
            Which: a number or ``"cuda:0"`` as this process counts, or a UUID. None leaves it to
            the producer, who takes its first.
        fallback
            ``"host"`` permits memory of the host, copied to and from the device at each end, where
            device memory cannot be shared. None does not.
        pinned
            Whether processes that use a device register the memory of the host with it, so that
            copies run at full speed and beside other work.

        Returns
        -------
        Variable
            Has no memory yet. If its shape is fixed, it gets it when its producer opens the
            context.

        Raises
        ------
        AlreadyExistsError
            The name is taken.
        ReadOnlyError
            Only the host declares for others.
        """
        if not self.is_host:
            raise ReadOnlyError("only the host of a context declares for others; use variable()")
        cdef CDeclaration declaration = declaration_of(
            name, shape, dtype, order, sealed, queue
        )
        set_memory(declaration, memory, device, fallback, pinned)
        if producer is not None:
            declaration.producer_role = arguments.text(producer, "a role")
        cdef bool is_new = False
        cdef shared_ptr[CContext] context = self._held()
        cdef shared_ptr[CEntry] entry
        with nogil:
            entry = context.get().declare(declaration, is_new)
        if not is_new:
            raise AlreadyExistsError(f"{self._wrap(entry)!r} exists in this context already")
        return self._wrap(entry)

    def variable(
        self, name, *, shape=(), dtype="uint8", order="C", sealed=False, queue=None,
        memory="host", device=None, fallback=None, pinned=False
    ):
        """Make a variable, or open the one that was declared in the same way.

        Parameters
        ----------
        name, shape, dtype, order, sealed, queue, memory, device, fallback, pinned
            As in `declare`.

        Returns
        -------
        Variable
            Produced by who writes it first. A new one with a fixed shape has its memory; that of
            a stream comes with its first frame.

        Raises
        ------
        ShapeError, ElementTypeError
            It was declared differently.
        AlreadyExistsError
            The name is that of an allocation, or `sealed` or the queue differs.
        OutOfMemoryError
            A limit is reached; then there is no such variable.
        DeviceNotFoundError
            There is no driver, or no such device.
        DeviceIpcUnavailableError
            Its memory cannot be shared; the message holds every refusal.
        """
        cdef CDeclaration declaration = declaration_of(
            name, shape, dtype, order, sealed, queue
        )
        set_memory(declaration, memory, device, fallback, pinned)
        cdef bool is_new = False
        cdef shared_ptr[CContext] context = self._held()
        cdef shared_ptr[CEntry] entry
        with nogil:
            entry = context.get().declare(declaration, is_new)
        found = self._wrap(entry)
        if not is_new:
            require_same(found, entry.get(), declaration)
        elif not declaration.shape.is_dynamic() and queue is None:
            try:
                found.allocate()
            except BaseException:
                found.free()
                raise
        return found

    def __getitem__(self, name):
        found = self._find(name)
        if found is None:
            raise NotFoundError(f"the context {self.name!r} has nothing named {name!r}")
        return found

    def __contains__(self, name):
        return self._find(name) is not None

    def __iter__(self):
        return iter([entry.name for entry in self.entries() if entry.state == "live"])

    def __len__(self):
        return self._held().get().size()

    def create(self, nbytes, *, zero=False, memory="host", device=None, fallback=None):
        """Make private memory, recycled where some fits.

        Parameters
        ----------
        nbytes
            Bytes, at least one.
        zero
            Whether the memory has to be zero; what is recycled holds what it held.
        memory, device, fallback
            As in `declare`.

        Returns
        -------
        Allocation
            Reached by nobody else until it is published.

        Raises
        ------
        OutOfMemoryError
            A limit is reached; the message names it.
        """
        cdef uint64_t wanted = arguments.integer(nbytes, "the size of an allocation", 1, 2**63 - 1)
        cdef bool is_zeroed = zero
        cdef shared_ptr[CContext] context = self._held()
        cdef shared_ptr[CEntry] entry
        cdef CDeclaration declaration
        cdef CDeviceOptions options
        set_memory(declaration, memory, device, fallback, False)
        if declaration.memory == CMemory.device:
            options.device = declaration.device
            options.may_stage = declaration.may_stage
            options.zero = is_zeroed
            with nogil:
                entry = context.get().create_on_device(wanted, options)
            return self._wrap(entry)
        with nogil:
            entry = context.get().create(wanted, is_zeroed)
        return self._wrap(entry)

    def get(self, name, *, timeout=0):
        """Find an allocation, and wait for it to be published.

        Parameters
        ----------
        name
            As it was published.
        timeout
            Seconds; 0 does not wait, None waits for ever.

        Returns
        -------
        Allocation
            A variable, if that is what the name stands for.

        Raises
        ------
        NotFoundError
            Nothing of that name was there in time.
        """
        cdef Deadline deadline = Deadline(wait_time(timeout))
        cdef shared_ptr[CContext] context = self._held()
        cdef uint32_t event
        cdef int64_t length = 0
        while True:
            event = context.get().names_event()  # Before the look: what comes later changes it.
            found = self._find(name)
            if found is not None:
                return found
            length = deadline.next_slice()
            if length == 0:
                raise NotFoundError(
                    f"nothing was published as {name!r} in the context {self.name!r}"
                    + (" in time" if deadline.is_wait else "; wait with a timeout")
                )
            with nogil:
                context.get().wait_for_names(event, nanoseconds(length))

    def connection(self, role):
        """Make a connection for another process, which needs no name then.

        Pass the descriptor to it with ``pass_fds``, tell it by ``CLARA_FASTIO_SOCKET=fd:N``, and
        close it here.

        Parameters
        ----------
        role
            What that process is: the `producer` of declarations.

        Returns
        -------
        int
            A descriptor, closed on exec, that the caller owns.

        Raises
        ------
        ReadOnlyError
            This process is not the host.
        """
        cdef string text = arguments.text(role, "a role")
        cdef shared_ptr[CContext] context = self._held()
        cdef int descriptor
        with nogil:
            descriptor = context.get().connect(text)
        return descriptor

    def adopt(self, connection, role):
        """Serve a process, such as one in a container, that has connected to a socket of the caller's.

        It was told of that by ``CLARA_FASTIO_SOCKET=path:FILE``. One of another user gets no answer.

        Parameters
        ----------
        connection
            Descriptor of a connected socket of the type ``SOCK_SEQPACKET``; it belongs to the
            context afterwards, unless this raises.
        role
            What that process is: the `producer` of declarations.

        Raises
        ------
        ReadOnlyError
            This process is not the host.
        """
        cdef int descriptor = arguments.integer(connection, "a connection", 0, 2**31 - 1)
        cdef string text = arguments.text(role, "a role")
        cdef shared_ptr[CContext] context = self._held()
        with nogil:
            context.get().adopt(descriptor, text)

    def entries(self):
        """List what is in it now, for people.

        Returns
        -------
        list of EntryInfo
            In no order.
        """
        cdef shared_ptr[CContext] context = self._held()
        cdef vector[CEntryInfo] infos
        with nogil:
            infos = context.get().entries()
        producers = {process.slot: process.role or f"pid {process.pid}" for process in self.processes()}
        return [entry_info(info, producers) for info in infos]

    def processes(self):
        """List the processes that have it open now, for people.

        Returns
        -------
        list of ProcessInfo
            By slot.
        """
        cdef shared_ptr[CContext] context = self._held()
        cdef vector[CProcessInfo] infos
        with nogil:
            infos = context.get().processes()
        return [process_info(info) for info in infos]

    def __repr__(self):
        what = "closed" if self.closed else "hosted here" if self.is_host else "open"
        return f"<Context {self.name!r}, {what}>"

    cdef shared_ptr[CContext] _held(self) except *:
        if self._context.get() == NULL:
            raise ClosedError(f"the context {self._name!r} was closed in this process")
        return self._context

    cdef object _wrap(self, shared_ptr[CEntry]& entry):
        made = Variable if entry.get().is_variable() else Allocation
        return wrap(made.__new__(made), entry, self)

    cdef object _find(self, object name):
        cdef string text = arguments.text(name, "a name in a context")
        cdef shared_ptr[CContext] context = self._held()
        cdef shared_ptr[CEntry] entry
        with nogil:
            entry = context.get().find(text)
        return self._wrap(entry) if entry else None
