# SPDX-License-Identifier: Apache-2.0
"""Signals that end a run."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clara_fastio.runner.runner import Runner

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def interruptible(runner: Runner) -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP cancel a run; from another than the main thread do nothing.

    The first signal stops the job, the second kills what is still alive.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, runner.cancel, f"interrupted by {number.name}", number)
    try:
        yield
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
