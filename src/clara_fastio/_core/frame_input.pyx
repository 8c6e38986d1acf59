# SPDX-License-Identifier: Apache-2.0
"""A consumer's side of a stream of frames."""

cimport cython
from libc.stdint cimport int64_t
from libcpp cimport bool
from libcpp.memory cimport shared_ptr

from clara_fastio._core.array cimport array_based_on, device_array_of, shape_of
from clara_fastio._core.libfastio cimport (
    CEdgeOptions,
    CEntry,
    CFrameReader,
    CResult,
    nanoseconds,
    ordinal_of,
)
from clara_fastio._core.deadline cimport Deadline, wait_time
from clara_fastio._core.mapping cimport stream_of

from clara_fastio._core.waiting import next_of
from clara_fastio.errors import ClosedError, LockTimeoutError, NotReadyError, PeerDiedError


cdef Frames subscribe(
    const shared_ptr[CEntry]& entry, object context, const CEdgeOptions& options, int64_t timeout,
    object stream
):
    cdef Frames self = Frames.__new__(Frames)
    self._is_on_device = entry.get().is_on_device()
    if stream is not None:
        stream_of(entry.get(), stream)  # Refuses what is none, or needs none.
        self._stream = stream
    self._context = context
    self._timeout = timeout
    with nogil:
        self._reader.reset(new CFrameReader(entry, options))
    self._name = (<bytes> self._reader.get().name()).decode(errors="replace")
    return self


@cython.final
@cython.freelist(64)
cdef class _Hold:
    """What an array over a frame has as its base: the last one gone gives the frame back."""

    def __init__(self):
        raise TypeError("frames are made by the frames() of a variable")

    def __dealloc__(self):
        if not self._reader:
            return
        if self._reader.get().entry().is_on_device():
            with nogil:  # A device is told as well.
                self._reader.get().release(self._slot)
        else:
            self._reader.get().release(self._slot)
        if self._reader.use_count() == 1:
            with nogil:
                self._reader.reset()


@cython.final
@cython.freelist(64)
cdef class Frame:
    """One frame that this process reads; from ``Variable.frames()``.

    It belongs to the loop until the loop asks for the next one. Its array, and everything made
    from that without a copy, keep the frame for as long as they live.
    """

    def __init__(self):
        raise TypeError("use the frames() of a variable with a queue")

    @property
    def array(self):
        """The read-only array over the frame; always the same object."""
        cdef CFrameReader* reader = self._held()
        cdef void* data = <void*> self._frame.data
        if self._array is None:
            if self._frame.device_data != 0:
                data = <void*> self._frame.device_data
            self._array = array_based_on(
                self._hold, self._frame.shape, reader.element_type(), reader.order(), data, False
            )
            if self._frame.device_data != 0:
                ordinal = ordinal_of(reader.entry().device_record().device)
                self._array = device_array_of(self._array, ordinal, self._hold)
        return self._array

    @property
    def pointer(self):
        """The address of the first element, of the host or of the device."""
        self._held()
        return self._frame.device_data or <size_t> self._frame.data

    @property
    def header(self):
        """The 64 bytes that the producer added."""
        self._held()
        return <bytes> (<const char*> self._frame.header)[:64]

    @property
    def number(self):
        """Its number in the stream, from 0."""
        return self._frame.number

    @property
    def timestamp(self):
        """When it was committed, in ns of the monotonic clock (``time.monotonic_ns``)."""
        return self._frame.timestamp

    @property
    def version(self):
        """Frames that its slot has held, with this one."""
        return self._frame.version

    @property
    def shape(self):
        """Its dimensions."""
        return shape_of(self._frame.shape)

    @property
    def nbytes(self):
        """Bytes of its array."""
        return self._frame.nbytes

    def check(self):
        """Raise when the frame, on a device, turned out never to be whole.

        Its producer may die while this process's stream waits for it. The next step of the loop
        looks at that too; to be certain, synchronise the stream, and then check.

        Raises
        ------
        PeerDiedError
            The producer died before its work on the device was done.
        """
        if self._held().is_poisoned(self._frame.slot):
            raise PeerDiedError(
                f"frame {self.number} is not whole: its producer died before its work on the device "
                "was done"
            )

    def release(self):
        """Give the frame back before the loop goes on; arrays of it keep it until they are gone."""
        self._give_back()

    def __repr__(self):
        state = "" if self._hold is not None else ", given back"
        return f"<Frame {self.number}, {self.shape}{state}>"

    cdef int _give_back(self) except -1:
        self._array = None
        self._hold = None
        return 0

    cdef CFrameReader* _held(self) except NULL:
        if self._hold is None:
            raise ClosedError(
                f"frame {self._frame.number} was given back when the loop went on; keep its array, "
                "or copy it"
            )
        return self._hold._reader.get()


@cython.final
cdef class Frames:
    """The frames of one consumer, in order; from ``Variable.frames()``.

    Iterate over it, with ``for`` or ``async for``, or call `next`. It has its place in the stream
    from the moment it is made until it is closed, which the end of the stream does by itself.
    """

    def __init__(self):
        raise TypeError("use the frames() of a variable with a queue")

    def __dealloc__(self):
        # Arrays may keep the reader, but nobody asks it for frames any more.
        self._last = None
        if self._reader:
            with nogil:
                self._reader.get().close()
                self._reader.reset()

    @property
    def name(self):
        """The name of its edge."""
        return self._name

    @property
    def closed(self):
        """Whether it takes no more frames."""
        return self._is_closed

    def next(self, *, timeout=None):
        """Take the next frame.

        Parameters
        ----------
        timeout
            Seconds to wait for it; 0 does not wait, None waits for ever.

        Returns
        -------
        Frame or None
            None at the end of the stream. The frame before is given back, unless arrays of it
            are alive.

        Raises
        ------
        LockTimeoutError
            None came within `timeout`.
        NotReadyError
            None is there, and `timeout` is 0.
        PeerDiedError
            The producer died, and all its frames were taken.
        LockConflictError
            This consumer holds all slots itself.
        ClosedError
            It was closed.
        """
        return self._next(wait_time(timeout))

    def close(self):
        """Take no more frames; closing twice is fine. Arrays that exist stay valid."""
        if self._last is not None:
            self._last._give_back()
            self._last = None
        self._is_closed = True
        cdef shared_ptr[CFrameReader] reader = self._reader
        if reader:
            with nogil:
                reader.get().close()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        self.close()

    def __iter__(self):
        return self

    def __next__(self):
        cdef Frame frame = self._next(self._timeout)
        if frame is None:
            raise StopIteration
        return frame

    def __aiter__(self):
        return self

    def __anext__(self):
        return next_of(self)

    def _poll(self):
        # For `waiting`: a frame, None for none yet; raises at the end.
        cdef Frame frame = self._try()
        if frame is None and self._is_over:
            raise StopAsyncIteration
        return frame

    def _wait(self, double seconds=0.1):
        # For `waiting` and `gathering`: sleep until a frame may be there, and take nothing.
        cdef shared_ptr[CFrameReader] reader = self._reader
        cdef int64_t length = <int64_t> (seconds * 1e9)
        with nogil:
            reader.get().wait(nanoseconds(length))

    def __repr__(self):
        return f"<Frames {self._name!r}{', closed' if self.closed else ''}>"

    cdef Frame _try(self):
        cdef Frame frame = self._last
        if frame is not None:
            frame._give_back()
            self._last = None
        if self._is_over:
            return None
        # Under the interpreter's lock, so no take of this thread can follow a close of another.
        if self._is_closed:
            raise ClosedError(f"the consumer of the edge {self._name!r} was closed")
        frame = Frame.__new__(Frame)
        cdef size_t handle = 0
        cdef CResult result
        if self._is_on_device:
            handle = stream_of(&self._reader.get().entry(), self._stream)
            with nogil:
                result = self._reader.get().try_take(frame._frame, handle)
        else:
            result = self._reader.get().try_take(frame._frame, 0)
        if result == CResult.taken:
            frame._hold = _Hold.__new__(_Hold)
            frame._hold._slot = frame._frame.slot
            frame._hold._reader = self._reader
            self._last = frame
            return frame
        if result == CResult.over:
            self._is_over = True
            self.close()
        return None

    cdef Frame _next(self, int64_t timeout):
        cdef Frame frame = self._try()
        if frame is not None or self._is_over:
            return frame
        cdef Deadline deadline = Deadline(timeout)
        cdef shared_ptr[CFrameReader] reader = self._reader
        cdef int64_t length = 0
        cdef bool is_there
        while True:
            length = deadline.next_slice()
            if length == 0:
                if deadline.is_wait:
                    raise LockTimeoutError(f"no frame came on the edge {self._name!r} in time")
                raise NotReadyError(
                    f"no frame waits on the edge {self._name!r}; wait with a timeout"
                )
            with nogil:
                is_there = reader.get().wait(nanoseconds(length))
            if is_there:
                frame = self._try()
                if frame is not None or self._is_over:
                    return frame
