# SPDX-License-Identifier: Apache-2.0
"""Count system calls of processes, by the kernel's own trace point and without stopping them."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import struct
from dataclasses import dataclass
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

    def per_step(self, steps: int, idle: Count) -> float | None:
        """Divide it among some steps, without what an order to do none takes."""
        if self.number is None or idle.number is None:
            return None
        return max(0, self.number - idle.number) / steps


@contextlib.contextmanager
def count_system_calls(pids: list[int]) -> Iterator[Count]:
    """Count what the threads of some processes do during the block; 0 is this process.

    Yields
    ------
    Count
        Filled in at the end of the block.
    """
    count = Count()
    with contextlib.ExitStack() as stack:
        try:
            counters = _open_counters(pids, stack)
        except OSError as error:
            count.reason = str(error)
            yield count
            return
        # Of this process, switching on and off is counted as well: as often as this says.
        _switch(counters, _ENABLE)
        _switch(counters, _DISABLE)
        own = _read(counters)
        _switch(counters, _ENABLE)
        yield count
        _switch(counters, _DISABLE)
        count.number = _read(counters) - 2 * own


def why_not_counted() -> str:
    """Say why system calls cannot be counted here; empty when they can."""
    with count_system_calls([0]) as count:
        pass
    return count.reason


def _open_counters(pids: list[int], stack: contextlib.ExitStack) -> list[int]:
    counters = []
    for pid in pids:
        for thread in Path(f"/proc/{pid or 'self'}/task").iterdir():
            counters.append(_open_counter(int(thread.name)))
            stack.callback(os.close, counters[-1])
    return counters


def _open_counter(thread: int) -> int:
    if _PERF_EVENT_OPEN is None:
        raise OSError(f"perf_event_open has no known number on {os.uname().machine}")
    fields = (
        _TYPE_TRACE_POINT,
        _ATTRIBUTE_NBYTES,
        int(_TRACE_POINT.read_text()),
        *(0, 0, 0),  # No sampling.
        _DISABLED_AND_INHERITED,
    )
    attribute = struct.pack("IIQQQQQ", *fields).ljust(_ATTRIBUTE_NBYTES, b"\0")
    counter: int = _libc.syscall(_PERF_EVENT_OPEN, attribute, thread, -1, -1, 0)
    if counter < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"perf_event_open: {os.strerror(number)}")
    return counter


def _switch(counters: list[int], request: int) -> None:
    for counter in counters:
        fcntl.ioctl(counter, request)


def _read(counters: list[int]) -> int:
    return sum(struct.unpack("q", os.read(counter, 8))[0] for counter in counters)
