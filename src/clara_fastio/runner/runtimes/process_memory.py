# SPDX-License-Identifier: Apache-2.0
"""How much memory an operator has for itself, with all that it has started.

What counts is what would be there without the job: anonymous memory in RAM and in swap, and shared
memory of its own making. Pages that several of its processes share count once. The job's shared
memory does not count, and neither do files, whose pages the kernel takes back when it needs them.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from clara_fastio.runner.runtimes.launcher import children_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_KILOBYTE = 1024  # The kernel writes kB and means this.
_STATUS = re.compile(rb"^(?:RssAnon|RssShmem|VmSwap):\s+(\d+) kB", re.MULTILINE)
_ROLLUP = re.compile(rb"^(?:Pss_Anon|Pss_Shmem|SwapPss):\s+(\d+) kB", re.MULTILINE)
_SHARED = re.compile(rb"^Pss_Shmem:\s+[1-9]", re.MULTILINE)
_SHARE = re.compile(rb"^Pss:\s+(\d+) kB")
_MAPPING = re.compile(rb"^[0-9a-f]+-[0-9a-f]+ ")
#: What the segments of contexts are called.
_OF_A_CONTEXT = b"/memfd:clara-fastio:"


def memory_bound(parent: int) -> int:
    """Give the bytes that everything below a process has at most; takes microseconds."""
    return sum(_bound_of(pid) for pid in _below(parent))


def memory_used(parent: int) -> int:
    """Give the bytes that everything below a process has; the kernel looks at every page."""
    return sum(_used_by(pid) for pid in _below(parent))


def _bound_of(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_bytes()
    except OSError:  # It has ended.
        return 0
    return _sum(_STATUS, status)


def _used_by(pid: int) -> int:
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_bytes()
        shared = _of_contexts(pid) if _SHARED.search(rollup) else 0
    except OSError:  # It has ended, or has more rights than this process.
        return _bound_of(pid)
    return max(_sum(_ROLLUP, rollup) - shared, 0)


def _of_contexts(pid: int) -> int:
    """Add up a process's share of what it has mapped of the job's memory."""
    total = 0
    is_ours = False
    with open(f"/proc/{pid}/smaps", "rb") as file:  # noqa: PTH123 - read line by line
        for line in file:
            if _MAPPING.match(line):
                is_ours = _OF_A_CONTEXT in line
            elif is_ours and (found := _SHARE.match(line)):
                total += int(found.group(1))
    return total * _KILOBYTE


def _sum(pattern: re.Pattern[bytes], text: bytes) -> int:
    return sum(int(found) for found in pattern.findall(text)) * _KILOBYTE


def _below(parent: int) -> Iterator[int]:
    """List the processes that a process and its children have started."""
    for child in _children(parent):
        yield child
        yield from _below(child)


def _children(parent: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for thread in os.listdir(f"/proc/{parent}/task"):  # noqa: PTH208 - ten times a second
            children = Path(f"/proc/{parent}/task/{thread}/children")
            try:
                found += map(int, children.read_bytes().split())
            except FileNotFoundError:
                if children.parent.exists():  # A kernel that does not list them.
                    return children_of(parent)
    return found
