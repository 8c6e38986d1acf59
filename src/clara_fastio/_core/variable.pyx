# SPDX-License-Identifier: Apache-2.0
"""Typed, shaped and named shared memory that one process produces and others read."""

from libc.stdint cimport int64_t, uint64_t
from libcpp cimport bool
from libcpp.memory cimport shared_ptr
from libcpp.string cimport string

from clara_fastio._core.allocation cimport Allocation
from clara_fastio._core.array cimport shape_of
from clara_fastio._core.declaration cimport edge_of
from clara_fastio._core.frame_input cimport subscribe
from clara_fastio._core.frame_output cimport finish_stream, make_frames, open_frame
from clara_fastio._core.libfastio cimport (
    CEdgeOptions,
    CEntry,
    CFrameWriter,
    COrder,
    CShape,
    CStreamInfo,
    nanoseconds,
    pin_refusal,
    reserve_edge,
    stream_info,
    unreserve_edge,
)
from clara_fastio._core.deadline cimport Deadline, wait_time
from clara_fastio._core.stream_inspection cimport make_stream_info, queue_of

import math

from clara_fastio._core import arguments
from clara_fastio._core.attributes import Attributes
from clara_fastio.errors import FastIOError, NotReadyError


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

    @property
    def queue(self):
        """The `Queue` it was declared with, or None.

        Where frames vary in shape, `max_shape` has one dimension: the bytes of a slot.
        """
        return queue_of(self._held().get())

    @property
    def stream(self):
        """The counters of its stream and of all edges now, as a `StreamInfo`."""
        cdef shared_ptr[CEntry] entry = self._held()
        cdef CStreamInfo info
        with nogil:
            info = stream_info(entry.get()[0])
        return make_stream_info(info)

    @property
    def is_pinned(self):
        """Whether its memory of the host is registered with the devices of this process."""
        return self.pin_refusal == ""

    @property
    def pin_refusal(self):
        """Why its memory of the host is not pinned in this process, or ""."""
        cdef shared_ptr[CEntry] entry = self._held()
        return (<bytes> pin_refusal(entry.get()[0])).decode(errors="replace")

    def next(self, *, timeout=None, shape=None, number=None, header=None, stream=None):
        """Open the next frame of its stream, as its producer.

        Parameters
        ----------
        timeout
            Seconds to wait for a free slot; 0 does not wait, None waits for ever.
        shape
            Of this frame, where dimensions are dynamic.
        number
            Of this frame, above those before; by default one more than the last, from 0.
        header
            At most 64 bytes that travel with it.
        stream
            The CUDA stream on which a frame on a device is made, as in `map`.

        Returns
        -------
        OpenFrame
            A context manager that gives the array to fill.

        Raises
        ------
        LockTimeoutError, LockConflictError
            No slot became free in time; or a frame is open already.
        ReadOnlyError
            Another process is the producer.
        ShapeError
            The frame does not fit the declaration or a slot.
        ClosedError
            The stream has ended.
        OutOfMemoryError
            There is no memory for the slots.

        Notes
        -----
        Nothing is copied, and nobody is asked after the first frame. The slot that was
        used last is the first to be used again.
        """
        return open_frame(
            self._held_writer(), self._mappings.context, wait_time(timeout), shape, number, header,
            stream
        )

    def frames(
        self, count=None, *, name=None, policy=None, share=None, deadline=None, timeout=None,
        stream=None
    ):
        """Consume the frames of its stream; or, with a count, make them.

        Parameters
        ----------
        count
            How many frames the loop makes, as their producer; ``math.inf`` for a loop without
            end. None consumes.
        name
            Of the edge. By default the role of this process, or its number.
        policy
            ``"block"``, ``"drop_oldest"``, ``"latest"`` or ``"sample(n)"``; by default what was
            declared.
        share
            The name of a group: each frame goes to one of its consumers.
        deadline
            Seconds after which a frame that is taken counts as late.
        timeout
            Seconds that each step of the loop waits at most; None waits for ever.
        stream
            The CUDA stream on which frames on a device are used, as in `map`; None is what is
            current at each step.

        Returns
        -------
        Frames or FrameMaker
            An iterator. Consumers get the frames made from now on, in order, until the producer
            finishes the stream; makers get the array of one frame after the other.

        Raises
        ------
        AlreadyExistsError
            The edge has its consumer, or was made with another policy.
        InvalidRequestError, ValueError
            It has no queue, or there is no such policy.
        """
        cdef int64_t length = wait_time(timeout)
        if count is not None:
            if name is not None or policy is not None or share is not None or deadline is not None:
                raise TypeError("name, policy, share and deadline are a consumer's; count makes frames")
            if count != math.inf:
                count = arguments.integer(count, "a number of frames", 0, 2**62)
            return make_frames(self._held_writer(), self._mappings.context, count, length, stream)
        return subscribe(
            self._held(), self._mappings.context, edge_of(name, policy, share, deadline), length,
            stream
        )

    def reserve(self, name, *, policy=None, share=False, deadline=None, role=None):
        """Make an edge of its stream whose consumer comes later: its frames wait.

        Parameters
        ----------
        name
            Of the edge, or of the group.
        policy, deadline
            As in `frames`.
        share
            Whether it is a group that shares the frames.
        role
            Of the process that is to come, as given to `Context.connection`; None is whoever
            comes. A group stays open until all have come that are awaited like this.

        Raises
        ------
        AlreadyExistsError
            It exists with another policy, or is not shared alike.
        """
        cdef CEdgeOptions options = edge_of(None if share else name, policy, name if share else None, deadline)
        cdef shared_ptr[CEntry] entry = self._held()
        if role is not None:
            options.role = arguments.text(role, "a role")
        with nogil:
            reserve_edge(entry.get()[0], options)

    def unreserve(self, name, *, role=None):
        """Await a consumer no longer; an edge with nobody there or awaited is closed.

        Parameters
        ----------
        name
            Of the edge, or of the group.
        role
            As it was reserved for.

        Notes
        -----
        Nothing happens when the consumer has come, or when there is no such edge.
        """
        cdef string edge = arguments.text(name, "the name of an edge")
        cdef string awaited = b"" if role is None else arguments.text(role, "a role")
        cdef shared_ptr[CEntry] entry = self._held()
        with nogil:
            unreserve_edge(entry.get()[0], edge, awaited)

    def finish(self):
        """End its stream, as its producer: consumers take what waits, and their loops end.

        A frame that is open is given up. Finishing twice is fine. A producer that closes the context
        without it has left the stream unfinished, which consumers see as `PeerDiedError`.
        """
        finish_stream(self._held_writer())

    def __repr__(self):
        if self._label is not None or not self._entry:
            return Allocation.__repr__(self)
        try:
            return f"<Variable {self.name!r}, {self.element_type} {self.shape}>"
        except FastIOError as error:
            return f"<Variable, {error}>"

    def __dealloc__(self):
        with nogil:
            self._writer.reset()

    def release(self):
        cdef shared_ptr[CFrameWriter] writer
        writer.swap(self._writer)
        with nogil:
            writer.reset()
        Allocation.release(self)

    cdef shared_ptr[CFrameWriter] _held_writer(self) except *:
        cdef shared_ptr[CEntry] entry = self._held()
        if not self._writer:
            self._writer = CFrameWriter.of(entry)
        return self._writer

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
