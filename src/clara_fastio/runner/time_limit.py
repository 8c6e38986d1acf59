# SPDX-License-Identifier: Apache-2.0
"""A time limit that stands still while its owner waits for others."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class TimeLimit:
    """Calls a function once some seconds of work have been used up.

    Parameters
    ----------
    seconds
        Of work; ``None`` is no limit.
    on_exceeded
        Called on the loop, with the limit.
    """

    def __init__(self, seconds: float | None, on_exceeded: Callable[[float], None]) -> None:
        self._left = seconds
        self._seconds = seconds
        self._on_exceeded = on_exceeded
        self._timer: asyncio.TimerHandle | None = None
        self._since = 0.0

    def run(self) -> None:
        """Count from now on, if it is not counting already."""
        if self._timer is None and self._left is not None and self._seconds is not None:
            self._since = time.monotonic()
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._left, self._on_exceeded, self._seconds)

    def pause(self) -> None:
        """Stand still until :meth:`run` is called again."""
        if self._timer is not None and self._left is not None:
            self._timer.cancel()
            self._timer = None
            self._left -= time.monotonic() - self._since
