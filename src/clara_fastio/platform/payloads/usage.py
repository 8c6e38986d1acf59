# SPDX-License-Identifier: Apache-2.0
"""How much the payloads take, and whether there is room for more."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clara_fastio.errors import OutOfMemoryError

if TYPE_CHECKING:
    from pathlib import Path

_STEP = 1024

#: Counts uploads that have not ended, among the payloads.
IN_FLIGHT = ""


@dataclass(frozen=True)
class StorageLimits:
    """What payloads may take.

    Parameters
    ----------
    usage_percentage
        Of the volume that the payloads are on, whoever fills it.
    capacity
        Bytes of all payloads together; ``None`` leaves it to the volume.
    """

    usage_percentage: float = 80
    capacity: int | None = None


class Usage:
    """Counts the bytes of the files of each payload, and of uploads that go on.

    Thread safety: any thread.

    Parameters
    ----------
    volume
        A folder on the volume whose use is limited.
    limits
        What is allowed.
    """

    def __init__(self, volume: Path, limits: StorageLimits) -> None:
        self._volume = volume
        self._limits = limits
        self._lock = threading.Lock()
        self._sizes: dict[str, int] = {}
        self._total = 0

    @property
    def total(self) -> int:
        """Bytes of all payloads."""
        return self._total

    def size(self, payload_id: str) -> int:
        """Bytes of one payload, as last counted."""
        return self._sizes.get(payload_id, 0)

    def add(self, payload_id: str, nbytes: int) -> None:
        """Count bytes that have come, or have gone."""
        with self._lock:
            self._sizes[payload_id] = self._sizes.get(payload_id, 0) + nbytes
            self._total += nbytes

    def put(self, payload_id: str, nbytes: int) -> None:
        """Replace what was counted for a payload."""
        with self._lock:
            self._total += nbytes - self._sizes.get(payload_id, 0)
            self._sizes[payload_id] = nbytes

    def forget(self, payload_id: str) -> None:
        """Take a payload out of the count."""
        with self._lock:
            self._total -= self._sizes.pop(payload_id, 0)

    def require(self, nbytes: int = 0) -> None:
        """Refuse what would go beyond a limit.

        Parameters
        ----------
        nbytes
            How many are about to be added.

        Raises
        ------
        OutOfMemoryError
            They do not fit; `requested` and `available` are in bytes.
        """
        self._require_capacity(nbytes)
        self._require_volume(nbytes)

    def _require_capacity(self, nbytes: int) -> None:
        capacity = self._limits.capacity
        if capacity is not None and self._total + nbytes > capacity:
            raise OutOfMemoryError(
                f"{shown_bytes(nbytes)} are wanted; the payloads take {shown_bytes(self._total)} "
                f"of {shown_bytes(capacity)}. Delete payloads, or raise the capacity",
                requested=nbytes,
                available=max(0, capacity - self._total),
            )

    def _require_volume(self, nbytes: int) -> None:
        volume = os.statvfs(self._volume)
        # As `df` counts: what is kept back for the administrator is neither used nor free.
        used = (volume.f_blocks - volume.f_bfree) * volume.f_frsize
        usable = used + volume.f_bavail * volume.f_frsize
        allowed = usable * self._limits.usage_percentage / 100
        if used + nbytes > allowed:
            raise OutOfMemoryError(
                f"the volume of the payloads is {100 * used / max(usable, 1):.0f} % full, and "
                f"{self._limits.usage_percentage:g} % is the limit; {shown_bytes(nbytes)} "
                "are wanted. Delete payloads, or make room on the volume",
                requested=nbytes,
                available=max(0, int(allowed) - used),
            )


def shown_bytes(nbytes: int) -> str:
    """Write a size in the largest unit of which it has one."""
    if nbytes < _STEP:
        return f"{nbytes} bytes"
    size = nbytes / _STEP
    for unit in ("KiB", "MiB", "GiB"):
        if size < _STEP:
            return f"{size:.1f} {unit}"
        size /= _STEP
    return f"{size:.1f} TiB"
