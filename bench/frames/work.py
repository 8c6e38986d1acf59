# SPDX-License-Identifier: Apache-2.0
"""The work of an operator on a frame: the functions of `cpp/bench/frame_work.hpp`."""

from __future__ import annotations

import ctypes
import time
from typing import TYPE_CHECKING

import numpy as np

from bench.harness.workers import BUILD

if TYPE_CHECKING:
    from collections.abc import Callable

_PREPARED = 4


class FrameWork:
    """Three operators on frames of one size; each lets go of the GIL while it works.

    Parameters
    ----------
    nbytes
        Of a frame, a multiple of 8.
    """

    def __init__(self, nbytes: int) -> None:
        library = ctypes.CDLL(str(BUILD / "cpp" / "libframe_work.so"))
        address, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint64
        prepare = _function(library.frame_work_prepare, None, address, size, number)
        self._produce = _function(library.frame_work_produce, None, address, address, size)
        self._filter = _function(library.frame_work_filter, None, address, address, size)
        self._reduce = _function(library.frame_work_reduce, number, address, size)
        self._nbytes = nbytes
        self._frames = [np.empty(nbytes, np.uint8) for _ in range(_PREPARED)]
        self._sums = []
        scratch = np.empty(nbytes, np.uint8)
        for seed, frame in enumerate(self._frames):
            prepare(frame.ctypes.data, nbytes, seed)
            self.filter(scratch, frame)
            self._sums.append(self._reduce(scratch.ctypes.data, nbytes))

    def produce(self, out: np.ndarray, number: int) -> None:
        """Fill a frame."""
        prepared = self._frames[number % _PREPARED]
        self._produce(out.ctypes.data, prepared.ctypes.data, self._nbytes)

    def filter(self, out: np.ndarray, frame: np.ndarray) -> None:
        """Make one frame from another."""
        self._filter(out.ctypes.data, frame.ctypes.data, self._nbytes)

    def reduce(self, frame: np.ndarray, number: int) -> None:
        """Add a frame up; a frame that is torn, lost or out of order is an error."""
        if self._reduce(frame.ctypes.data, self._nbytes) != self._sums[number % _PREPARED]:
            raise RuntimeError(f"frame {number} is not the one that was expected")


class ClockedWork:
    """The same operators, with the processor time that they took.

    A clock of this kind is a system call: steps that are clocked say what the operators take, and
    nothing about the transport.
    """

    def __init__(self, work: FrameWork) -> None:
        self._work = work
        self._cost = min(_nothing() for _ in range(1000))
        #: Nanoseconds of processor time, summed up.
        self.cpu_ns = 0

    def produce(self, out: np.ndarray, number: int) -> None:
        """Fill a frame."""
        self._clock(self._work.produce, out, number)

    def filter(self, out: np.ndarray, frame: np.ndarray) -> None:
        """Make one frame from another."""
        self._clock(self._work.filter, out, frame)

    def reduce(self, frame: np.ndarray, number: int) -> None:
        """Add a frame up."""
        self._clock(self._work.reduce, frame, number)

    def _clock(self, operator: Callable, *arguments: object) -> None:
        start = time.thread_time_ns()
        operator(*arguments)
        self.cpu_ns += time.thread_time_ns() - start - self._cost


def _nothing() -> int:
    start = time.thread_time_ns()
    return time.thread_time_ns() - start


def _function(function: Callable, result: type | None, *arguments: type) -> Callable:
    function.restype = result
    function.argtypes = arguments
    return function
