# SPDX-License-Identifier: Apache-2.0
"""Waits of the core for programs that run an event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clara_fastio._core.frame_input import Frame, Frames


async def next_of(frames: Frames) -> Frame:
    """Wait for the next frame without holding up the event loop.

    A thread of the loop's executor sleeps, for a tenth of a second at a time; it takes nothing, so
    a task that is cancelled loses no frame.
    """
    while True:
        frame = frames._poll()  # noqa: SLF001 - made for here
        if frame is not None:
            return frame
        await asyncio.get_running_loop().run_in_executor(None, frames._wait)  # noqa: SLF001 - likewise
