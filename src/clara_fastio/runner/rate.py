# SPDX-License-Identifier: Apache-2.0
"""How fast a counter grows."""

from __future__ import annotations

_WINDOW = 1.0
_SHORTEST = 0.2


class Rate:
    """Growth of a counter a second, from looks at it now and then."""

    def __init__(self) -> None:
        self._begin: tuple[float, int] | None = None
        self._last = (0.0, 0)
        self._window: tuple[float, int] | None = None
        self._recent: float | None = None

    def see(self, now: float, count: int) -> None:
        """Take one look; time in seconds."""
        if self._begin is None or self._window is None:
            self._begin = self._window = self._last = (now, count)
            return
        if self._begin[1] == count:
            self._begin = (now, count)  # Nothing has moved yet.
        elif count != self._last[1]:
            self._last = (now, count)
        since, before = self._window
        if now - since >= _WINDOW:
            self._recent = (count - before) / (now - since)
            self._window = (now, count)

    @property
    def recent(self) -> float | None:
        """Of about the last second; None before the first is over."""
        return self._recent

    @property
    def mean(self) -> float | None:
        """From the first that moved to the last; None when that was too short to tell."""
        if self._begin is None or self._last[0] - self._begin[0] < _SHORTEST:
            return None
        return (self._last[1] - self._begin[1]) / (self._last[0] - self._begin[0])
