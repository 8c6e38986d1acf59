# SPDX-License-Identifier: Apache-2.0
"""The names of the original, for programs that say ``import clara``."""

from __future__ import annotations

from clara_fastio.driver import (
    Driver,
    FastIOAllocation,
    FastIOContext,
    FastIOEntry,
    Payload,
    PayloadCollection,
    PayloadEntry,
)
from clara_fastio.driver import Result as Error
from clara_fastio.errors import FastIOError

__all__ = [
    "Driver",
    "Error",
    "FastIOAllocation",
    "FastIOContext",
    "FastIOEntry",
    "FastIOError",
    "Payload",
    "PayloadCollection",
    "PayloadEntry",
]
