# SPDX-License-Identifier: Apache-2.0
"""The life cycle of an operator, and what its handlers get."""

from __future__ import annotations

from clara_fastio.driver.allocations import FastIOAllocation, FastIOContext
from clara_fastio.driver.collection import PayloadCollection, PayloadEntry
from clara_fastio.driver.driver import Driver
from clara_fastio.driver.entries import FastIOEntry
from clara_fastio.driver.notification import Notification, NotificationKind, Result
from clara_fastio.driver.payload import Payload
from clara_fastio.driver.phase import Phase

__all__ = [
    "Driver",
    "FastIOAllocation",
    "FastIOContext",
    "FastIOEntry",
    "Notification",
    "NotificationKind",
    "Payload",
    "PayloadCollection",
    "PayloadEntry",
    "Phase",
    "Result",
]
