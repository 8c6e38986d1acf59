# SPDX-License-Identifier: Apache-2.0
"""The limits of memory of this process's control groups, as the host of a context reads them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

#: Version 1 writes the largest number of pages when there is no limit.
_NO_LIMIT: Final = 1 << 62


class _Files(NamedTuple):
    version: str
    limit: str
    usage: str
    inactive: str


_V1: Final = _Files(
    "cgroup v1", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
)
_V2: Final = _Files("cgroup v2", "memory.max", "memory.current", "inactive_file")


@dataclass(frozen=True)
class Level:
    """A group that limits the memory of this process."""

    #: As ``cgroup v2 /user.slice``.
    place: str
    #: The file that says so.
    file: str
    limit: int
    #: Without the pages of files that can be dropped at once.
    usage: int

    @property
    def room(self) -> int:
        """Bytes that are left."""
        return max(0, self.limit - self.usage)

    def describe(self) -> dict[str, Any]:
        """Give it as values."""
        return {"place": self.place, "file": self.file, "limit": self.limit, "usage": self.usage}


class Mount(NamedTuple):
    """A hierarchy of groups in the tree of files."""

    is_v2: bool
    #: The group that is mounted.
    root: str
    point: str


def levels(root: Path) -> list[Level]:
    """Give the limits of this process's groups and of all above them that can be seen.

    Parameters
    ----------
    root
        Where ``proc`` and the mounts are looked for; ``/`` but in tests.
    """
    process = root / "proc" / "self"
    mounts = parse_mounts((process / "mountinfo").read_text(errors="replace"))
    found = []
    for is_v2, path in parse_memberships((process / "cgroup").read_text(errors="replace")):
        for mount in mounts:
            if mount.is_v2 == is_v2 and _is_visible(path, mount.root):
                found += _upwards(root, mount, path)
    return found


def parse_memberships(text: str) -> list[tuple[bool, str]]:
    """Read ``/proc/<pid>/cgroup``: whether of version 2, and the path, where memory is counted."""
    found = []
    for line in text.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        is_v2 = number == "0" and not controllers
        if path.startswith("/") and (is_v2 or "memory" in controllers.split(",")):
            found.append((is_v2, path))
    return found


def parse_mounts(text: str) -> list[Mount]:
    """Read ``/proc/<pid>/mountinfo``."""
    found = []
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        is_v2 = kind[:1] == ["cgroup2"]
        is_v1 = kind[:1] == ["cgroup"] and "memory" in kind[-1].split(",")
        if len(fields) >= 5 and (is_v1 or is_v2):
            found.append(Mount(is_v2, _unescape(fields[3]), _unescape(fields[4])))
    return found


def parse_limit(text: str) -> int | None:
    """Read a limit; ``None`` when there is none."""
    words = text.split()
    if not words or not words[0].isdecimal():
        return None
    limit = int(words[0])
    return limit if limit < _NO_LIMIT else None


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


def _is_visible(path: str, top: str) -> bool:
    # Groups beside the mounted one, or above a namespace, cannot be seen from here.
    return not path.startswith("/..") and (top in {"/", path} or path.startswith(f"{top}/"))


def _upwards(root: Path, mount: Mount, path: str) -> list[Level]:
    top = "" if mount.root == "/" else mount.root
    group = "" if path == "/" else path
    found = []
    while True:
        folder = root / f"{mount.point}{group.removeprefix(top)}".lstrip("/")
        level = _level(folder, group or "/", _V2 if mount.is_v2 else _V1)
        if level is not None:
            found.append(level)
        if group in {"", top}:
            return found
        group = group.rpartition("/")[0]


def _level(folder: Path, group: str, files: _Files) -> Level | None:
    limit = parse_limit(_read(folder / files.limit))
    usage = parse_limit(_read(folder / files.usage))
    if limit is None or usage is None:
        return None
    inactive = re.search(rf"^{files.inactive} (\d+)", _read(folder / "memory.stat"), re.MULTILINE)
    droppable = int(inactive[1]) if inactive else 0
    return Level(f"{files.version} {group}", files.limit, limit, max(0, usage - droppable))


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
