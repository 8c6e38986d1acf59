# SPDX-License-Identifier: Apache-2.0
"""How much memory there is, for all and for this process's groups, and how it is paged."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from clara_fastio.doctor.cgroup import levels
from clara_fastio.doctor.finding import absent, format_bytes, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clara_fastio.doctor.finding import Finding

#: Less is not worth hosting a context in.
_ENOUGH: Final = 1 << 30
_HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/shmem_enabled")


def available() -> Iterator[Finding]:
    """Tell how much memory programs can still have."""
    yield judge_available(Path("/proc/meminfo").read_text())


def judge_available(information: str) -> Finding:
    """Say what follows from the text of ``/proc/meminfo``."""
    name = "available memory"
    total, room = field(information, "MemTotal"), field(information, "MemAvailable")
    if total is None or room is None:
        return warning(
            name,
            "/proc/meminfo does not say",
            wanted="MemAvailable, which a host compares requests with",
            fix="mount /proc; without it too large a request is not refused, it kills",
        )
    found = f"{format_bytes(room)} of {format_bytes(total)}"
    if room >= _ENOUGH:
        return ok(name, found, available=room, total=total)
    return warning(
        name,
        found,
        wanted=f"{format_bytes(_ENOUGH)} or more",
        fix="end programs that hold memory, or use a larger machine; a host refuses what does "
        "not fit with OutOfMemoryError",
        available=room,
        total=total,
    )


def field(information: str, key: str) -> int | None:
    """Give the bytes that a line of ``/proc/meminfo`` tells."""
    found = re.search(rf"^{key}:\s+(\d+) kB", information, re.MULTILINE)
    return None if found is None else int(found[1]) * 1024


def group_limits() -> Iterator[Finding]:
    """Tell which limit of this process's control groups leaves the least room."""
    yield judge_groups(Path("/"))


def judge_groups(root: Path) -> Finding:
    """Say what follows from the groups of a process, as the files below `root` show them."""
    name = "memory of the group"
    found = levels(root)
    if not found:
        return ok(name, "no limit at any level", levels=[])
    least = min(found, key=lambda level: level.room)
    details = {"levels": [level.describe() for level in found]}
    text = (
        f"{format_bytes(least.room)} left of {format_bytes(least.limit)}, by {least.file} of "
        f"{least.place}"
    )
    if least.room >= _ENOUGH:
        return ok(name, text, **details)
    return warning(
        name,
        text,
        wanted=f"{format_bytes(_ENOUGH)} or more: shared memory counts for who hosts it",
        fix="raise it: --memory of a container, resources.limits.memory of a pod, MemoryMax= of a "
        "service or scope",
        **details,
    )


def huge_pages() -> Iterator[Finding]:
    """Tell whether shared memory may have huge pages."""
    try:
        setting = _HUGE_PAGES.read_text()
    except FileNotFoundError:
        setting = ""
    yield judge_huge_pages(setting)


def judge_huge_pages(setting: str) -> Finding:
    """Say what follows from the text of ``shmem_enabled``, in which brackets mark the choice."""
    name = "huge pages"
    chosen = re.search(r"\[(\w+)\]", setting)
    word = "" if chosen is None else chosen[1]
    if word in {"advise", "always", "within_size", "force"}:
        return ok(name, f"shared memory gets them ({word})", setting=word)
    return absent(
        name,
        f"shared memory gets none ({word})" if word else "this kernel has none for shared memory",
        wanted="'advise': large arrays are filled for the first time, and pinned, in less time",
        fix=f"as root: echo advise > {_HUGE_PAGES}",
        setting=word or None,
    )
