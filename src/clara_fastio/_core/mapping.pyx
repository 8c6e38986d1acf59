# SPDX-License-Identifier: Apache-2.0
"""Access to the bytes of an allocation, with its lock."""

cimport cython
from cpython.buffer cimport PyObject_GetBuffer
from cpython.object cimport PyObject
from libc.stdint cimport int64_t
from libcpp cimport bool
from libcpp.memory cimport shared_ptr

from clara_fastio._core.array cimport (
    device_array_of,
    empty_array,
    export_device_dlpack,
    export_dlpack,
    make_array,
    shape_of,
)
from clara_fastio._core.deadline cimport Deadline
from clara_fastio._core.libfastio cimport (
    CAccessMode,
    CEntry,
    CMapping,
    nanoseconds,
    ordinal_of,
)

import os
import sys
import warnings

from clara_fastio._core import device_stream
from clara_fastio.errors import ClosedError, PeerDiedError
from clara_fastio.types import AccessMode


cdef extern from *:
    # With a pointer: an object would be counted once more while it is an argument.
    Py_ssize_t Py_REFCNT(PyObject*) noexcept


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


cdef size_t stream_of(const CEntry* entry, object stream) except? 0:
    if entry.is_on_device():
        return device_stream.handle_of(stream)
    if stream is not None:
        raise ValueError("memory of the host has no stream; leave stream out")
    return 0


cdef Mapping open_mapping(
    const shared_ptr[CEntry]& entry, CAccessMode mode, int64_t timeout,
    OpenMappings siblings, object stream
):
    cdef Mapping self = Mapping.__new__(Mapping)
    self._mode = mode
    self._is_on_device = entry.get().is_on_device()
    cdef size_t handle = 0
    if self._is_on_device or stream is not None:
        handle = stream_of(entry.get(), stream)
    self._mapping.reset(new CMapping(entry, mode, handle))
    cdef CMapping* mapping = self._mapping.get()
    # The usual case asks nobody, and releasing the interpreter's lock would cost as much as it. A
    # device may have to be given something, which can wait.
    cdef bool is_open = False
    if not self._is_on_device:
        is_open = mapping.try_cached()
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
            if self._is_on_device:
                self._array = device_array_of(self._array, self._device_ordinal(), self._array.base)
        return self._array

    @property
    def pointer(self):
        """The address of the first element, of the host or of the device."""
        cdef CMapping* mapping = self._opened()
        self._is_exposed = True
        return mapping.device_data() if self._is_on_device else <size_t> mapping.data()

    @property
    def shape(self):
        """The dimensions of the array."""
        return shape_of(self._opened().shape())

    @property
    def stream(self):
        """The handle of the CUDA stream that orders the use of device memory; None on the host."""
        return self._opened().stream() if self._is_on_device else None

    @property
    def is_write_protected(self):
        """Whether a write in mode ``"r"`` is refused: by the kernel, or by the device itself."""
        return self._opened().is_write_protected()

    def check(self):
        """Raise when what is read on a device turned out never to be whole.

        Its writer may die while this process's stream waits for it. Leaving the block looks at that
        too; to be certain, synchronise the stream, and then check before leaving.

        Raises
        ------
        PeerDiedError
            The writer died before its work on the device was done.
        """
        if self._opened().is_poisoned():
            raise PeerDiedError(
                f"what was read by {self!r} is not whole: its writer died before its work on the "
                "device was done"
            )

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
        if _debug and not self._is_on_device:
            self._bound = array
        return array

    def __exit__(self, kind, error, traceback):
        self._end(kind is None)
        if self._bound is not None:
            self._check_left(error)

    def __getbuffer__(self, Py_buffer* buffer, int flags):
        self._require_host("the buffer protocol")
        PyObject_GetBuffer(self._source(), buffer, flags)

    def __array__(self, dtype=None, *, copy=None):
        self._require_host("numpy")
        array = self.array
        if dtype is None or dtype == array.dtype:
            return array.copy(order="K") if copy else array
        if copy is False:
            raise ValueError(f"a {array.dtype} array is not a {dtype} one without a copy")
        return array.astype(dtype)

    @property
    def __array_interface__(self):
        """What older consumers read: address, shape and type."""
        if self._is_on_device:
            raise AttributeError("memory of a device has __cuda_array_interface__ instead")
        source = self._source()
        if source.dtype.kind == "V":
            raise AttributeError("the array interface has no word for bfloat16")
        self._is_exposed = True
        return source.__array_interface__

    @property
    def __cuda_array_interface__(self):
        """What consumers on a device read (version 3): address, shape, type and stream."""
        if not self._is_on_device:
            raise AttributeError("memory of the host has __array_interface__ instead")
        source = self._device_source()
        self._is_exposed = True
        return {
            "shape": source.shape,
            "typestr": source.dtype.str,
            "data": (self._opened().device_data(), not source.flags.writeable),
            "strides": None if source.flags.c_contiguous else source.strides,
            "stream": self._opened().stream() or 1,  # 0 could be either default stream.
            "version": 3,
        }

    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        """Export the memory as a DLPack capsule, version 1 if the consumer knows it.

        Parameters
        ----------
        stream
            Of memory on a device: the consumer's, by its handle, which then waits for what the
            memory needs; and the end of the mapping waits for it. -1 orders nothing. None is the
            legacy default stream.
        max_version, dl_device, copy
            As DLPack has them. Memory of a device is not copied.

        Raises
        ------
        BufferError
            The memory is read-only and the consumer does not know version 1; or another device
            is asked for.
        """
        if self._is_on_device:
            return self._device_dlpack(stream, max_version, dl_device, copy)
        if stream is not None:
            raise BufferError("memory of the host has no stream; leave stream out")
        return export_dlpack(self._source(), max_version, dl_device, copy)

    def __dlpack_device__(self):
        """Say where the memory is: ``(1, 0)`` for the host's, ``(2, ordinal)`` for a device's."""
        if not self._is_on_device:
            return (1, 0)
        self._opened()
        return (2, self._device_ordinal())

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

    cdef int _device_ordinal(self) except -1:
        return ordinal_of(self._opened().entry().device_record().device)

    cdef object _device_source(self):
        """Give a numpy array with the address of the device, to be described and never read."""
        if self._exported is None:
            self._exported = make_array(self._opened())
        return self._exported

    def _device_dlpack(self, stream, max_version, dl_device, copy):
        cdef CMapping* mapping = self._opened()
        cdef int ordinal = self._device_ordinal()
        if dl_device is not None and tuple(dl_device) != (2, ordinal):
            raise BufferError(
                f"the memory is that of the device (2, {ordinal}); {dl_device} was asked for"
            )
        if copy:
            raise BufferError("memory of a device is not copied on export; copy the array")
        cdef size_t handle = 0
        if stream != -1:
            handle = 1 if stream is None else device_stream.handle_of(stream)
            if handle > 1 or mapping.stream() > 1:
                with nogil:
                    mapping.add_stream(handle)
        self._is_exposed = True
        return export_device_dlpack(self._device_source(), ordinal, max_version)

    cdef int _require_host(self, str what) except -1:
        if not self._is_on_device:
            return 0
        raise BufferError(
            f"the memory is that of a device, which {what} cannot read; use cupy, or copy it with "
            "cupy.asnumpy(mapping.array)"
        )

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
                with nogil:  # A device may have to be told.
                    mapping.abort()
            elif mapping.entry().is_sealed() or self._is_on_device:
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
