# SPDX-License-Identifier: Apache-2.0
"""Limits of a process."""

from __future__ import annotations

import re
import resource
from pathlib import Path
from typing import TYPE_CHECKING

from clara_fastio.doctor.finding import format_bytes, ok, warning
from clara_fastio.doctor.surroundings import has_device_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clara_fastio.doctor.finding import Finding

#: A host keeps a descriptor for each larger array, one for each stream, and two for each process.
_ENOUGH_FILES = 4096
#: What Linux begins with.
_ENOUGH_MAPS = 65530
#: Pinning a few frames takes this; less than one volume.
_ENOUGH_LOCKED = 1 << 30
_CAP_IPC_LOCK = 14


def open_files() -> Iterator[Finding]:
    """Tell how many descriptors a process may have; a host raises its own to the hard limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    found = f"{_count(soft)}, and {_count(hard)} in a process that hosts a context"
    details = {"soft": _value(soft), "hard": _value(hard)}
    if hard == resource.RLIM_INFINITY or hard >= _ENOUGH_FILES:
        yield ok("open files", found, **details)
        return
    yield warning(
        "open files",
        found,
        wanted=f"{_ENOUGH_FILES} or more: a host keeps a descriptor for each array above 64 KiB",
        fix="raise the hard limit: 'nofile' in /etc/security/limits.conf, LimitNOFILE= of a "
        "service, --ulimit nofile=65536 of a container",
        **details,
    )


def locked_memory() -> Iterator[Finding]:
    """Tell how much memory a process may pin, which counts where there is a GPU."""
    status = Path("/proc/self/status").read_text(errors="replace")
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    yield judge_locked(soft, may_lock_all=may_lock_all(status), has_gpu=has_device_files())


def judge_locked(limit: int, *, may_lock_all: bool, has_gpu: bool) -> Finding:
    """Say what follows from the limit, a right that goes beyond it, and the files of a driver."""
    name, value = "locked memory", _value(limit)
    if value is None:
        return ok(name, "unlimited", limit=None)
    found = format_bytes(value)
    if value >= _ENOUGH_LOCKED:
        return ok(name, found, limit=value)
    if may_lock_all:
        return ok(name, f"{found}, which does not bind a process with CAP_IPC_LOCK", limit=value)
    if not has_gpu:
        return ok(name, f"{found}; it counts for pinned memory, and there is no GPU", limit=value)
    return warning(
        name,
        found,
        wanted=f"{format_bytes(_ENOUGH_LOCKED)} or more, if variables are to be pinned",
        fix="raise it: 'memlock unlimited' in /etc/security/limits.conf, LimitMEMLOCK=infinity of "
        "a service, --ulimit memlock=-1 of a container",
        limit=value,
    )


def may_lock_all(status: str) -> bool:
    """Say whether the text of ``/proc/<pid>/status`` shows the right to lock any memory."""
    effective = re.search(r"^CapEff:\s*([0-9a-f]+)", status, re.MULTILINE)
    return effective is not None and bool(int(effective[1], 16) >> _CAP_IPC_LOCK & 1)


def memory_maps() -> Iterator[Finding]:
    """Tell how many mappings a process may have."""
    yield judge_maps(int(Path("/proc/sys/vm/max_map_count").read_text()))


def judge_maps(count: int) -> Finding:
    """Say what follows from ``vm.max_map_count``."""
    name, found = "memory maps", f"{count} in a process"
    if count >= _ENOUGH_MAPS:
        return ok(name, found, count=count)
    return warning(
        name,
        found,
        wanted=f"{_ENOUGH_MAPS} or more: each array above 64 KiB is a map in all that use it",
        fix="sysctl vm.max_map_count=262144, and the same in /etc/sysctl.d to keep it",
        count=count,
    )


def _value(limit: int) -> int | None:
    return None if limit == resource.RLIM_INFINITY else limit


def _count(limit: int) -> str:
    return "unlimited" if limit == resource.RLIM_INFINITY else str(limit)
