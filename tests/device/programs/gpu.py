# SPDX-License-Identifier: Apache-2.0
"""The fake driver as programs use it beside the library: streams, kernels, and what was called.

Importing it makes the primary context of the first device current, as cupy does at its first use.
Nothing here calls `cuStreamSynchronize`, so that whatever is counted of it is the library's.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import time

import numpy as np

_WORD = 4
_NOT_READY = 600
_DRIVER = ctypes.CDLL(os.environ["CLARA_FASTIO_CUDA_DRIVER"])
_DRIVER.fakeCudaRegisteredBytes.restype = ctypes.c_ulonglong

_buffers = []  # Host memory that queued work may still use.


class GpuError(Exception):
    """The driver refused a call of the program's own."""


def call(name, *arguments):
    """Call a function of the driver; raise `GpuError` with its number."""
    status = getattr(_DRIVER, name)(*arguments)
    if status:
        raise GpuError(f"{name} answered {status}")


def use(ordinal):
    """Make the primary context of a device current in this thread."""
    context = ctypes.c_void_p()
    call("cuInit", 0)
    call("cuDevicePrimaryCtxRetain", ctypes.byref(context), ordinal)
    call("cuCtxPushCurrent_v2", context)


def stream():
    """Make a stream that waits for no other."""
    made = ctypes.c_void_p()
    call("cuStreamCreate", ctypes.byref(made), 1)
    return made.value


def is_done(of):
    """Tell whether all that was given to a stream is done."""
    status = _DRIVER.cuStreamQuery(ctypes.c_void_p(of))
    if status not in {0, _NOT_READY}:
        raise GpuError(f"cuStreamQuery answered {status}")
    return status == 0


def finish(*streams):
    """Wait until streams are done."""
    for of in streams:
        while not is_done(of):
            time.sleep(0.001)


def fill(on, pointer, words, value, ms=0):
    """Write a value to words of 32 bits, over some time."""
    call(
        "fakeCudaFill",
        ctypes.c_void_p(on),
        ctypes.c_ulonglong(pointer),
        ctypes.c_size_t(words),
        ctypes.c_uint32(value),
        ctypes.c_uint64(int(ms * 1e6)),
    )


class Seen:
    """The smallest and the largest word that a kernel saw."""

    def __init__(self, on):
        self._on = on
        self.words = (ctypes.c_uint32 * 2)(7, 3)  # No word is both above 7 and below 3.
        _buffers.append(self.words)

    def values(self):
        """Wait for the kernel's stream and give both."""
        finish(self._on)
        return list(self.words)


def read(on, pointer, words, ms=0):
    """Read words of 32 bits, over some time."""
    seen = Seen(on)
    least = ctypes.byref(seen.words)
    most = ctypes.byref(seen.words, _WORD)
    call(
        "fakeCudaSum",
        ctypes.c_void_p(on),
        ctypes.c_ulonglong(pointer),
        ctypes.c_size_t(words),
        ctypes.c_uint64(int(ms * 1e6)),
        least,
        most,
    )
    return seen


def add(on, to, source, words, increment, ms=0):
    """Write the words of another place, each a little larger."""
    call(
        "fakeCudaAdd",
        ctypes.c_void_p(on),
        ctypes.c_ulonglong(to),
        ctypes.c_ulonglong(source),
        ctypes.c_size_t(words),
        ctypes.c_uint32(increment),
        ctypes.c_uint64(int(ms * 1e6)),
    )


def upload(on, pointer, data):
    """Copy bytes to the device; they are there when the stream is done."""
    buffer = ctypes.create_string_buffer(data, max(len(data), 1))
    _buffers.append(buffer)
    call(
        "cuMemcpyHtoDAsync_v2",
        ctypes.c_ulonglong(pointer),
        buffer,
        ctypes.c_size_t(len(data)),
        ctypes.c_void_p(on),
    )


def download(on, pointer, nbytes):
    """Queue a copy to the host; give the buffer, which holds it when the stream is done."""
    buffer = ctypes.create_string_buffer(max(nbytes, 1))
    _buffers.append(buffer)
    call(
        "cuMemcpyDtoHAsync_v2",
        buffer,
        ctypes.c_ulonglong(pointer),
        ctypes.c_size_t(nbytes),
        ctypes.c_void_p(on),
    )
    return buffer


class Gate:
    """Holds a stream up until it is opened, as a kernel of unknown length would."""

    def __init__(self, on):
        self._page = mmap.mmap(-1, mmap.PAGESIZE)
        self._word = ctypes.c_uint64.from_buffer(self._page)
        address = ctypes.addressof(self._word)
        _buffers.append(self)
        call("cuMemHostRegister_v2", ctypes.c_void_p(address), ctypes.c_size_t(mmap.PAGESIZE), 3)
        call(
            "cuStreamWaitValue64_v2",
            ctypes.c_void_p(on),
            ctypes.c_ulonglong(address),
            ctypes.c_uint64(1),
            0,
        )

    def open(self):
        """Let the stream go on."""
        self._word.value = 1


def capture(on, enabled):
    """Let a stream capture a graph, or no more."""
    call("fakeCudaCapture", ctypes.c_void_p(on), int(enabled))


def calls(name):
    """Count the calls of a function in this process so far."""
    count = ctypes.c_ulonglong()
    _DRIVER.fakeCudaCounts(name.encode(), ctypes.byref(count))
    return count.value


def registered():
    """Count the bytes of host memory that this process has registered."""
    return _DRIVER.fakeCudaRegisteredBytes()


def pattern(shape, dtype, seed=0):
    """Make an array of bytes that look random; every process makes the same."""
    dtype = np.dtype(dtype)
    count = int(np.prod(shape, dtype=np.int64))
    if dtype.kind == "b":
        return (np.arange(count) * 7 + seed).reshape(shape) % 3 == 0
    data = np.random.default_rng(seed).bytes(count * dtype.itemsize)
    return np.frombuffer(data, dtype).reshape(shape)


use(0)
