# SPDX-License-Identifier: Apache-2.0
"""What an examination finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """How a finding is to be taken."""

    OK = "ok"
    #: It works, but worse than it could, or only in part.
    WARNING = "warning"
    #: Something that is there, or that is always needed, does not work.
    PROBLEM = "problem"
    #: Something that one may well do without is not there.
    ABSENT = "absent"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was examined."""

    #: Which part of the examination it belongs to; the examination itself says so.
    section: str = ""
    #: What was examined.
    name: str
    state: State
    #: What there is, in words.
    found: str
    #: What there should be; empty when that is what was found.
    wanted: str = ""
    #: What to do; empty when there is nothing to do.
    fix: str = ""
    #: The same as values, for programs.
    details: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.state != State.OK and not self.fix:
            raise ValueError(f"{self.name}: a finding that is not ok says what to do")


def ok(name: str, found: str, **details: Any) -> Finding:
    """Make a finding that is as it should be."""
    return Finding(name=name, state=State.OK, found=found, details=details)


def warning(name: str, found: str, *, wanted: str, fix: str, **details: Any) -> Finding:
    """Make a finding of something that could work better."""
    state = State.WARNING
    return Finding(name=name, state=state, found=found, wanted=wanted, fix=fix, details=details)


def problem(name: str, found: str, *, wanted: str, fix: str, **details: Any) -> Finding:
    """Make a finding of something that does not work."""
    state = State.PROBLEM
    return Finding(name=name, state=state, found=found, wanted=wanted, fix=fix, details=details)


def absent(name: str, found: str, *, wanted: str, fix: str, **details: Any) -> Finding:
    """Make a finding of something that is not there, and that one may do without."""
    state = State.ABSENT
    return Finding(name=name, state=state, found=found, wanted=wanted, fix=fix, details=details)


def format_bytes(nbytes: int) -> str:
    """Give a size for people."""
    size = float(nbytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
