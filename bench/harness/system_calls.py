# SPDX-License-Identifier: Apache-2.0
"""Count system calls of processes, by the kernel's own trace point and without stopping them."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_TRACE_POINT = Path("/sys/kernel/tracing/events/raw_syscalls/sys_enter/id")
_PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241}.get(os.uname().machine)
_TYPE_TRACE_POINT = 2
_ATTRIBUTE_NBYTES = 128
_DISABLED_AND_INHERITED = 0b11
_ENABLE, _DISABLE = 0x2400, 0x2401

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass
class Count:
    """How many system calls were counted; None where the kernel does not let us count."""

    number: int | None = None
    reason: str = ""
    _counters: list[int] = field(default_factory=list)

    def per_step(self, steps: int) -> float | None:
        """Divide it among some steps."""
        return None if self.number is None else max(0, self.number - _own_calls()) / steps


@contextlib.contextmanager
def count_system_calls(pids: list[int]) -> Iterator[Count]:
    """Count what processes do during the block; 0 is this one.

    Yields
    ------
    Count
        Filled in at the end of the block.
    """
    count = Count()
    try:
        for pid in pids:
            for thread in os.listdir(f"/proc/{pid or 'self'}/task"):
                count._counters.append(_open_counter(int(thread)))  # noqa: SLF001 - our own class
    except OSError as error:
        count.reason = str(error)
    counters = count._counters  # noqa: SLF001 - our own class
    try:
        if not count.reason:
            for counter in counters:
                fcntl.ioctl(counter, _ENABLE)
        yield count
        if not count.reason:
            for counter in counters:
                fcntl.ioctl(counter, _DISABLE)
            count.number = sum(struct.unpack("q", os.read(fd, 8))[0] for fd in counters)
    finally:
        for counter in counters:
            os.close(counter)


def why_not_counted() -> str:
    """Say why system calls cannot be counted here; empty when they can."""
    with count_system_calls([0]) as count:
        pass
    return count.reason


def _open_counter(thread: int) -> int:
    if _PERF_EVENT_OPEN is None:
        raise OSError(f"perf_event_open has no known number on {os.uname().machine}")
    point = int(_TRACE_POINT.read_text())
    attribute = struct.pack("IIQQQQQ", _TYPE_TRACE_POINT, _ATTRIBUTE_NBYTES, point, 0, 0, 0,
                            _DISABLED_AND_INHERITED).ljust(_ATTRIBUTE_NBYTES, b"\0")
    counter = _libc.syscall(_PERF_EVENT_OPEN, attribute, thread, -1, -1, 0)
    if counter < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"perf_event_open: {os.strerror(number)}")
    return counter


_own: list[int] = []


def _own_calls() -> int:
    """How many calls of the measurement itself are in each count."""
    if not _own:
        _own.append(0)
        with count_system_calls([0]) as count:
            pass
        _own[0] = count.number or 0
    return _own[0]
