# SPDX-License-Identifier: Apache-2.0
"""Times on the wire: whole seconds since 0001-01-01T00:00:00Z, and 0 for a time that is not set."""

from __future__ import annotations

from datetime import UTC, datetime

from clara_fastio.platform._proto import common_pb2

#: Seconds from the year 1 to 1970.
EPOCH = 62_135_596_800
_NS = 1_000_000_000


def to_wire(unix_ns: int | None) -> common_pb2.Timestamp:
    """Write a time, given as nanoseconds since 1970 UTC."""
    return common_pb2.Timestamp(value=0 if unix_ns is None else unix_ns // _NS + EPOCH)


def from_wire(timestamp: common_pb2.Timestamp) -> int | None:
    """Read a time as nanoseconds since 1970 UTC; before 1970 lies what is not set."""
    return (timestamp.value - EPOCH) * _NS if timestamp.value >= EPOCH else None


def as_text(unix_ns: int | None) -> str:
    """Write a time as the fields do that older clients read: ``2026-11-20 09:05:00Z``."""
    if unix_ns is None:
        return ""
    return datetime.fromtimestamp(unix_ns // _NS, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
