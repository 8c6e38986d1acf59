# SPDX-License-Identifier: Apache-2.0
"""The producer's side of a stream of frames."""

cimport cython
from libc.stdint cimport int64_t
from libcpp cimport bool
from libcpp.memory cimport shared_ptr
from libcpp.string cimport string

from clara_fastio._core.array cimport array_over, device_array_of, forbid_writing, shape_of
from clara_fastio._core.libfastio cimport CFrameWriter, CShape, nanoseconds, ordinal_of
from clara_fastio._core.deadline cimport Deadline
from clara_fastio._core.mapping cimport stream_of

import sys
import warnings

from clara_fastio._core import arguments
from clara_fastio.errors import ClosedError


cdef OpenFrame open_frame(
    const shared_ptr[CFrameWriter]& writer, object context, int64_t timeout, object shape, object number,
    object header, object stream
):
    cdef OpenFrame self = OpenFrame.__new__(OpenFrame)
    self._is_on_device = writer.get().entry().is_on_device()
    cdef size_t handle = 0
    if self._is_on_device or stream is not None:
        handle = stream_of(&writer.get().entry(), stream)
    _next(writer.get(), timeout, handle)
    self._writer = writer
    self._context = context
    try:
        if shape is not None:
            writer.get().set_shape(CShape.of(arguments.dimensions(shape, declared=False)))
        if number is not None:
            writer.get().set_number(arguments.integer(number, "the number of a frame", 0, 2**62))
        if header is not None:
            self.header = header
    except BaseException:
        self.abort()
        raise
    return self


cdef int _next(CFrameWriter* writer, int64_t timeout, size_t stream) except -1:
    # The first frame asks the host for memory; later ones ask nobody, but maybe a device.
    cdef bool is_open
    if writer.is_started() and not writer.entry().is_on_device():
        is_open = writer.try_next(stream)
    else:
        with nogil:
            is_open = writer.try_next(stream)
    if is_open:
        return 0
    cdef Deadline deadline = Deadline(timeout)
    cdef int64_t length = 0
    while not is_open:
        length = deadline.next_slice()
        if length == 0:
            writer.throw_blocked(deadline.is_wait)
        with nogil:
            writer.wait(nanoseconds(length))
            is_open = writer.try_next(stream)
    return 0


cdef int finish_stream(const shared_ptr[CFrameWriter]& writer) except -1:
    with nogil:
        writer.get().finish()
    return 0


@cython.final
@cython.freelist(16)
cdef class OpenFrame:
    """A frame that is being made; from ``Variable.next()``.

    As a context manager it gives the array to fill. Leaving the block normally shows the frame to
    all consumers; leaving it by an exception gives it up, and nobody ever sees it.
    """

    def __init__(self):
        raise TypeError("use the next() of a variable with a queue")

    def __dealloc__(self):
        if not self._writer:
            return
        number = self._writer.get().number()
        label = (<bytes> self._writer.get().entry().label()).decode(errors="replace")
        is_silent = (
            self._writer.get().entry().context().is_foreign() or sys.is_finalizing()
        )
        self._writer.get().abort()
        with nogil:
            self._writer.reset()
        if not is_silent:
            warnings.warn(
                f"frame {number} of {label} was dropped without commit(); nobody will see it",
                ResourceWarning, stacklevel=1
            )

    @property
    def array(self):
        """The array over the frame's memory; it holds what the slot held before."""
        cdef CFrameWriter* writer = self._opened()
        if self._array is None:
            self._array = array_over(
                writer.shape(), writer.element_type(), writer.order(),
                <void*> writer.device_data() if self._is_on_device else writer.data(), True,
                writer.window()
            )
            if self._is_on_device:
                ordinal = ordinal_of(writer.entry().device_record().device)
                self._array = device_array_of(self._array, ordinal, self._array.base)
        return self._array

    @property
    def pointer(self):
        """The address of the first element, of the host or of the device."""
        cdef CFrameWriter* writer = self._opened()
        return writer.device_data() if self._is_on_device else <size_t> writer.data()

    @property
    def shape(self):
        """The dimensions of this frame."""
        return shape_of(self._opened().shape())

    @property
    def number(self):
        """Its number in the stream, from 0."""
        return self._opened().number() if self._writer else self._number

    @property
    def header(self):
        """64 bytes of the user's, zero until they are set."""
        cdef CFrameWriter* writer = self._opened()
        return <bytes> writer.header()[:64]

    @header.setter
    def header(self, data):
        cdef CFrameWriter* writer = self._opened()
        cdef string text = bytes(memoryview(data))
        writer.set_header(text)

    def commit(self):
        """Show the frame to all consumers; when it has ended, do nothing."""
        if not self._writer:
            return
        cdef shared_ptr[CFrameWriter] writer
        self._number = self._writer.get().number()
        writer.swap(self._writer)
        if self._is_on_device:
            with nogil:
                writer.get().commit()
        else:
            writer.get().commit()
        self._end()

    def abort(self):
        """Give the frame up; when it has ended, do nothing."""
        if not self._writer:
            return
        cdef shared_ptr[CFrameWriter] writer
        self._number = self._writer.get().number()
        writer.swap(self._writer)
        writer.get().abort()
        self._end()

    def _end(self):
        if self._array is not None:
            if not self._is_on_device:
                forbid_writing(self._array)
            self._array = None
        self._context = None

    def __enter__(self):
        return self.array

    def __exit__(self, kind, error, traceback):
        if kind is None:
            self.commit()
        else:
            self.abort()

    def __repr__(self):
        if not self._writer:
            return f"<OpenFrame {self._number}, ended>"
        return f"<OpenFrame {self.number}, {self.shape}>"

    cdef CFrameWriter* _opened(self) except NULL:
        if not self._writer:
            raise ClosedError("the frame was committed or given up; next() makes another")
        return self._writer.get()


@cython.final
cdef class FrameMaker:
    """The frames that a loop makes, one array after the other; from ``Variable.frames(n)``.

    Each is committed when the loop asks for the next one, and the stream is finished after the
    last. A loop that ends early gives its last frame up.
    """

    def __init__(self):
        raise TypeError("use the frames(n) of a variable with a queue")

    def __iter__(self):
        return self

    def __next__(self):
        if self._frame is not None:
            self._frame.commit()
            self._frame = None
        if self._left <= 0:
            finish_stream(self._writer)
            raise StopIteration
        self._frame = open_frame(
            self._writer, self._context, self._timeout, None, None, None, self._stream
        )
        self._left -= 1
        return self._frame.array

    @property
    def frame(self):
        """The frame that is open, for its header and number; None before the first."""
        return self._frame


cdef FrameMaker make_frames(
    const shared_ptr[CFrameWriter]& writer, object context, object count, int64_t timeout,
    object stream
):
    cdef FrameMaker self = FrameMaker.__new__(FrameMaker)
    self._writer = writer
    self._context = context
    self._left = count
    self._stream = stream
    self._timeout = timeout
    return self
