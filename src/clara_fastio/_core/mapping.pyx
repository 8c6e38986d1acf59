# SPDX-License-Identifier: Apache-2.0
"""Access to the bytes of an allocation, with its lock."""

cimport cython
from cpython.buffer cimport PyObject_GetBuffer
from cpython.exc cimport PyErr_CheckSignals
from cpython.object cimport PyObject
from libc.stdint cimport int64_t
from libcpp cimport bool
from libcpp.memory cimport shared_ptr

from clara_fastio._core.array cimport empty_array, export_dlpack, make_array
from clara_fastio._core.libfastio cimport CAccessMode, CEntry, CMapping, nanoseconds

import os
import sys
import time
import warnings

from clara_fastio._core import arguments
from clara_fastio.errors import ClosedError
from clara_fastio.types import AccessMode


cdef extern from *:
    # With a pointer: an object would be counted once more while it is an argument.
    Py_ssize_t Py_REFCNT(PyObject*) noexcept


# Between slices Python looks for signals, and the core for the death of the host.
cdef int64_t SLICE = 100_000_000

cdef object _ZERO = 0
cdef dict _MODES = {
    "r": <int> CAccessMode.read,
    "read": <int> CAccessMode.read,
    "w": <int> CAccessMode.write,
    "write": <int> CAccessMode.write,
    "r+": <int> CAccessMode.update,
    "rw": <int> CAccessMode.update,
    "read/write": <int> CAccessMode.update,
}
cdef tuple _NAMES = (AccessMode.READ, AccessMode.WRITE, AccessMode.UPDATE, AccessMode.READ)

cdef bint _debug = os.environ.get("CLARA_FASTIO_DEBUG", "0") not in ("", "0")


def set_debug(bint enabled):
    """Say whether leaving ``with`` empties the array; see `clara_fastio.testing.debug_mode`.

    Returns
    -------
    bool
        What held before.
    """
    global _debug
    before = _debug
    _debug = enabled
    return before


cdef int64_t wait_time(object timeout) except -2:
    # The usual ones are worth not being looked at closer.
    if timeout is _ZERO:
        return 0
    if timeout is None:
        return -1
    cdef double seconds
    if type(timeout) is float or type(timeout) is int:
        seconds = timeout
        if 0 <= seconds <= 1e9:
            return <int64_t> (seconds * 1e9)
    return arguments.nanoseconds(timeout)


cdef CAccessMode access_mode(object mode, bint dirty) except *:
    if not isinstance(mode, str):
        raise TypeError(f"a mode is a str such as 'r', not {type(mode).__name__}")
    found = _MODES.get(mode)
    if found is None:
        raise ValueError(f"a mode is one of {', '.join(map(repr, _MODES))}; found {mode!r}")
    if not dirty:
        return <CAccessMode> <int> found
    if <CAccessMode> <int> found != CAccessMode.read:
        raise ValueError(f"only reading can do without the lock; found mode {mode!r} with dirty=True")
    return CAccessMode.dirty


cdef class Deadline:
    """The end of a wait, which is slept through in slices."""

    def __cinit__(self, int64_t length):
        self.is_wait = length != 0
        self._end = -1 if length < 0 else time.monotonic_ns() + length

    cdef int64_t next_slice(self) except -1:
        """Handle signals; give the nanoseconds to sleep, 0 when the wait is over."""
        PyErr_CheckSignals()
        if self._end < 0:
            return SLICE
        return max(0, min(SLICE, self._end - <int64_t> time.monotonic_ns()))


@cython.final
cdef class OpenMappings:
    """The mappings of one allocation object that are open."""

    def __cinit__(self, context):
        self.context = context

    cdef object only(self):
        """Give the one mapping that is open."""
        if self.count == 0:
            raise ClosedError("no mapping of this object is open; map it first")
        if self.count > 1:
            raise ClosedError(
                f"{self.count} mappings of this object are open; close each of them by itself"
            )
        return <object> <PyObject*> self._sum


cdef Mapping open_mapping(
    const shared_ptr[CEntry]& entry, CAccessMode mode, int64_t timeout,
    OpenMappings siblings
):
    cdef Mapping self = Mapping.__new__(Mapping)
    self._mode = mode
    self._mapping.reset(new CMapping(entry, mode))
    cdef CMapping* mapping = self._mapping.get()
    # The usual case asks nobody, and releasing the interpreter's lock would cost as much as it.
    cdef bool is_open = mapping.try_cached()
    if not is_open:
        with nogil:
            is_open = mapping.try_map()
    if not is_open:
        self._wait(timeout)
    self._siblings = siblings
    siblings.count += 1
    siblings._sum += <size_t> <PyObject*> self
    return self


@cython.final
@cython.freelist(64)
@cython.no_gc  # Nothing it refers to leads back to it.
cdef class Mapping:
    """Access to the bytes of an allocation or variable, with its lock; made by ``map()``.

    As a context manager it gives the array. Leaving the block normally commits what was written,
    leaving it by an exception aborts, and the content is then torn as after a death. From then on
    the content is no longer protected, though every array stays valid: the memory stays mapped
    until the last one is gone.

    It speaks the buffer protocol, ``__array_interface__`` and DLPack, always without a copy.

    Notes
    -----
    With ``CLARA_FASTIO_DEBUG=1`` the array that was bound by ``as`` has no elements after the
    block, and the block raises `BufferError` when something else made from it is still alive.
    """

    def __init__(self):
        raise TypeError("use the map() of an allocation or variable")

    def __dealloc__(self):
        if self._siblings is None:
            return  # It was never open, or is closed.
        is_silent = self._mapping.get().entry().context().is_foreign() or sys.is_finalizing()
        described = None if is_silent else repr(self)
        self._leave()
        with nogil:
            self._mapping.reset()
        if described is not None:
            warnings.warn(
                f"{described} was dropped without close(); what was written is given up",
                ResourceWarning, stacklevel=1
            )

    @property
    def array(self):
        """The array over the bytes; read-only in mode ``"r"``, always the same object."""
        if self._array is None:
            self._array = make_array(self._opened())
        return self._array

    @property
    def mode(self):
        """``"r"``, ``"w"`` or ``"r+"``."""
        return _NAMES[<int> self._mode]

    @property
    def is_dirty(self):
        """Whether it reads without the lock, beside a writer."""
        return self._mode == CAccessMode.dirty

    @property
    def is_open(self):
        """Whether the bytes can be used through it."""
        return self._siblings is not None

    @property
    def version(self):
        """Committed writes when it was mapped; after `commit`, with its own."""
        return self._version if self._siblings is None else self._mapping.get().version()

    @property
    def nbytes(self):
        """Bytes of the array."""
        return self._nbytes if self._siblings is None else self._mapping.get().nbytes()

    def commit(self):
        """Hand over what was written and end the mapping; when it has ended, do nothing.

        Raises
        ------
        HostDiedError
            The variable was declared with ``sealed=True`` and could not be frozen.
        """
        self._end(True)

    def abort(self):
        """Give up what was written and end the mapping; when it has ended, do nothing.

        The content is then torn: readers get `LockAbandonedError` until it is written anew.
        """
        self._end(False)

    def close(self):
        """End the mapping as leaving its block does: commit what was written.

        Raises
        ------
        HostDiedError
            As `commit`.
        """
        self._end(True)

    def __enter__(self):
        array = self.array
        if _debug:
            self._bound = array
        return array

    def __exit__(self, kind, error, traceback):
        self._end(kind is None)
        if self._bound is not None:
            self._check_left(error)

    def __getbuffer__(self, Py_buffer* buffer, int flags):
        PyObject_GetBuffer(self._source(), buffer, flags)

    def __array__(self, dtype=None, *, copy=None):
        array = self.array
        if dtype is None or dtype == array.dtype:
            return array.copy(order="K") if copy else array
        if copy is False:
            raise ValueError(f"a {array.dtype} array is not a {dtype} one without a copy")
        return array.astype(dtype)

    @property
    def __array_interface__(self):
        """What older consumers read: address, shape and type."""
        source = self._source()
        if source.dtype.kind == "V":
            raise AttributeError("the array interface has no word for bfloat16")
        self._is_exposed = True
        return source.__array_interface__

    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        """Export the memory as a DLPack capsule, version 1 if the consumer knows it.

        Raises
        ------
        BufferError
            The memory is read-only and the consumer does not know version 1; or another device
            is asked for.
        """
        if stream is not None:
            raise BufferError("memory of the host has no stream; leave stream out")
        return export_dlpack(self._source(), max_version, dl_device, copy)

    def __dlpack_device__(self):
        """Say that the memory is the host's."""
        return (1, 0)

    def __repr__(self):
        if self._siblings is None:
            return f"<Mapping in mode {str(self.mode)!r}, closed>"
        name = (<bytes> self._mapping.get().entry().name()).decode(errors="replace")
        subject = repr(name) if name else "an unpublished allocation"
        return f"<Mapping of {subject} in mode {str(self.mode)!r}, version {self.version}>"

    cdef CMapping* _opened(self) except NULL:
        if self._siblings is None:
            raise ClosedError("the mapping was closed; map again")
        return self._mapping.get()

    cdef object _source(self):
        """Give the array that other protocols export, so that they can be counted apart."""
        if self._exported is None:
            self._exported = make_array(self._opened())
        elif self._siblings is None:
            self._opened()
        return self._exported

    cdef int _wait(self, int64_t nanoseconds_to_wait) except -1:
        cdef CMapping* mapping = self._mapping.get()
        cdef Deadline deadline = Deadline(nanoseconds_to_wait)
        cdef int64_t length = deadline.next_slice() if deadline.is_wait else 0
        cdef bool is_open = False
        while length > 0:
            with nogil:
                is_open = mapping.wait(nanoseconds(length))
            if is_open:
                return 0
            length = deadline.next_slice()
        mapping.throw_blocked(deadline.is_wait)

    cdef int _end(self, bint is_commit) except -1:
        if self._siblings is None:
            return 0
        cdef CMapping* mapping = self._mapping.get()
        # From here on no other thread finds it open.
        self._leave()
        try:
            if not is_commit:
                mapping.abort()
            elif mapping.entry().is_sealed():
                with nogil:
                    mapping.commit()
            else:
                mapping.commit()
        finally:
            self._version = mapping.version()
            self._nbytes = mapping.nbytes()
            if self._array is None:
                with nogil:
                    self._mapping.reset()  # It may be the last to hold the entry.
            else:
                self._mapping.reset()
            self._array = None
            if not (self._is_exposed or _debug):
                self._exported = None
        return 0

    cdef int _leave(self) except -1:
        self._siblings.count -= 1
        self._siblings._sum -= <size_t> <PyObject*> self
        self._siblings = None
        return 0

    cdef int _check_left(self, object error) except -1:
        # One reference is ours, one the name's that `as` has bound.
        cdef Py_ssize_t left = max(0, Py_REFCNT(<PyObject*> self._bound) - 2)
        if left == 0:
            empty_array(self._bound)
        self._bound = None
        if self._exported is not None:
            left += Py_REFCNT(<PyObject*> self._exported) - 1
        if left == 0:
            return 0
        message = (
            f"{left} objects made from the array of a mapping are still alive after its end, "
            "and nothing protects what they show; copy what is to live on"
        )
        if error is None:
            raise BufferError(message)
        error.add_note(message)  # Never in place of the error that ended the block.
        return 0
