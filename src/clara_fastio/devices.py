# SPDX-License-Identifier: Apache-2.0
"""What a process can do with the devices of its machine, for people and programs."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Capabilities", "DeviceInfo", "Transport"]


@dataclass(frozen=True)
class DeviceInfo:
    """One GPU as this process sees it; see :func:`clara_fastio.capabilities`.

    What works is tried, not looked up: drivers claim more than they do. A text that is not empty
    says why something does not work.
    """

    #: Its number in this process; another process may count differently.
    ordinal: int
    #: ``"GPU-..."``; the same everywhere.
    uuid: str
    name: str
    #: Bytes in all, and free now.
    memory: int
    free_memory: int
    #: 90 is compute capability 9.0.
    compute_capability: int
    #: Bytes that shared memory is made in multiples of.
    granularity: int
    #: Mechanisms that can share its memory, the best first, each with why it does not work, or "".
    transports: dict[str, str]
    #: Ways to order work across processes, the best first, likewise.
    orders: dict[str, str]
    #: Why read maps of other processes' memory could be written, or "" where the device refuses it.
    read_only: str
    #: Why host memory cannot be pinned, or "".
    pinning: str
    #: Whether host memory that this process may only read can be pinned as well.
    pins_read_only: bool


@dataclass(frozen=True)
class Capabilities:
    """What this process can do with device memory; see :func:`clara_fastio.capabilities`."""

    #: Whether there is a driver and a device.
    available: bool
    #: Why not, or "".
    reason: str
    #: The driver library that was loaded.
    driver: str
    #: (12, 4) for a driver of CUDA 12.4.
    driver_version: tuple[int, int]
    devices: tuple[DeviceInfo, ...]
    #: Segments of other processes that were opened so far; it grows with segments, not messages.
    opens: int
    #: Bytes of them that are mapped now, and mappings given up for the limit.
    mapped: int
    evicted: int


@dataclass(frozen=True)
class Transport:
    """How the memory of an entry comes to this process; see `Allocation.transport`."""

    #: ``"vmm"``, ``"legacy"`` or ``"host"`` (copied at each end); ``"none"`` while there is none.
    memory: str
    #: Why nothing better, or "".
    memory_reason: str
    #: ``"timeline"``, ``"events"`` or ``"synchronize"``.
    order: str
    #: Why nothing better, or "".
    order_reason: str
    #: Whether this process made the memory, so that nothing had to be opened.
    own: bool
    #: Whether the device itself refuses writes through read maps of this process.
    read_only: bool
    #: UUID of the device.
    device: str
