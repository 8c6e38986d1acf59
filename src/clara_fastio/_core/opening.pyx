# SPDX-License-Identifier: Apache-2.0
"""How a process comes to a context: it hosts one, or opens one by name or by socket."""

from libcpp.memory cimport shared_ptr
from libcpp.string cimport string
from libcpp.vector cimport vector

from clara_fastio._core.context cimport context_of
from clara_fastio._core.libfastio cimport CContext, CHost, CHostOptions, is_driver_loaded
from clara_fastio._core.deadline cimport Deadline, wait_time

import os
import sys
import time
import weakref

from clara_fastio._core import arguments
from clara_fastio.errors import NotFoundError

# By the text of the environment: the descriptor that it names can be used once.
cdef dict _inherited = {}


def create_context(name=None, *, capacity=131072, memory_limit=None):
    """Host a context in this process.

    Parameters
    ----------
    name
        1 to 255 bytes of UTF-8, by which other processes of this user open it; None makes one up.
    capacity
        How many allocations and variables it can hold, at most 1048576.
    memory_limit
        Bytes that all of them may take together; None is as much as the machine gives.

    Returns
    -------
    Context
        Ends, for everybody, when it is closed.

    Raises
    ------
    AlreadyExistsError
        Another context of this user has the name.
    OutOfMemoryError
        Not even the tables fit.
    """
    cdef CHostOptions options
    if name is None:
        name = f"anonymous-{os.urandom(8).hex()}"
    options.name = arguments.text(name, "the name of a context")
    options.capacity = arguments.integer(capacity, "the capacity of a context", 1, 1 << 20)
    if memory_limit is not None:
        options.memory_limit = arguments.integer(memory_limit, "a memory limit", 1, 2**63 - 1)
    cdef shared_ptr[CContext] context
    with nogil:
        context = CContext.host(options)
    return context_of(context)


def open_context(name=None, *, socket=None, timeout=0):
    """Open a context that a process of this user hosts.

    Opening one that is open here gives the same object.

    Parameters
    ----------
    name
        Its name.
    socket
        In place of a name, a descriptor from `Context.connection` that this process inherited; it
        belongs to the context from now on. With neither, the environment variable
        ``CLARA_FASTIO_SOCKET`` says ``fd:N`` or ``path:FILE``.
    timeout
        Seconds to wait for somebody to host the name; None waits for ever.

    Returns
    -------
    Context
        The pre-allocated outputs of its role have their memory. In a process that uses a device
        (it has loaded cupy, torch, numba or jax) memory of devices that is there is opened, so that
        no map has to do it.

    Raises
    ------
    NotFoundError
        Nobody hosts it, or there is neither a name nor a variable.
    VersionMismatchError
        The host speaks another version of the protocol.
    HostUnresponsiveError
        The host did not answer within ten seconds.
    """
    if name is not None and socket is not None:
        raise TypeError("a context is opened by name or by socket, not by both")
    if socket is not None:
        return _open_socket(arguments.integer(socket, "a socket", 0, 2**31 - 1))
    if name is None:
        return _open_environment(os.environ.get("CLARA_FASTIO_SOCKET", ""))
    cdef string text = arguments.text(name, "the name of a context")
    cdef Deadline deadline = Deadline(wait_time(timeout))
    cdef shared_ptr[CContext] context
    while True:
        try:
            with nogil:
                context = CContext.open(text)
            _open_devices(context)
            return context_of(context)
        except NotFoundError:
            # A name on this machine has no event to wait for.
            if deadline.next_slice() == 0:
                raise
            time.sleep(0.01)


def list_contexts():
    """Name the contexts that this user hosts on this machine.

    Returns
    -------
    list of str
        Sorted.
    """
    cdef vector[string] names
    with nogil:
        names = CHost.list()
    return sorted([(<bytes> name).decode(errors="replace") for name in names])


# Who has imported one of these is going to use a device.
_DEVICE_LIBRARIES = ("cupy", "torch", "numba.cuda", "jax")


cdef int _open_devices(shared_ptr[CContext]& context) except -1:
    """Open the device memory that is there, in a process that uses devices: others pay nothing."""
    if is_driver_loaded() or any([name in sys.modules for name in _DEVICE_LIBRARIES]):
        with nogil:
            context.get().open_devices()
    return 0


cdef object _open_environment(str place):
    known = _inherited.get(place)
    if known is not None:
        context = known()
        if context is None or context.closed:
            raise NotFoundError(f"the context of CLARA_FASTIO_SOCKET={place} was closed here")
        return context
    kind, _, value = place.partition(":")
    if kind == "fd" and value.isdecimal():
        context = _open_socket(arguments.integer(int(value), "a socket", 0, 2**31 - 1))
    elif kind == "path" and value:
        context = _open_path(value)
    elif not place:
        raise NotFoundError(
            "there is no context to open: give a name, or set CLARA_FASTIO_SOCKET as a runner does"
        )
    else:
        raise ValueError(f"CLARA_FASTIO_SOCKET is fd:N or path:FILE; found {place!r}")
    _inherited[place] = weakref.ref(context)
    return context


cdef object _open_path(str path):
    from socket import AF_UNIX, SOCK_CLOEXEC, SOCK_SEQPACKET, socket

    with socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC) as connection:
        try:
            connection.connect(path)
        except OSError as error:
            raise NotFoundError(f"no context is hosted at {path}: {error}") from error
        return _open_socket(connection.detach())


cdef object _open_socket(int descriptor):
    cdef shared_ptr[CContext] context
    with nogil:
        context = CContext.open_socket(descriptor)
        context.get().allocate_outputs()
    _open_devices(context)
    return context_of(context)
