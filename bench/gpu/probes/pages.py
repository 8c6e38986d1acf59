# SPDX-License-Identifier: Apache-2.0
"""How long does it take to pin shared memory of small or huge pages, and how fast is it then?"""

from __future__ import annotations

import ctypes
import mmap
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.gpu.driver import Driver
from bench.gpu.probes.asking import conclude, outcome

if TYPE_CHECKING:
    from collections.abc import Callable

NBYTES = 1 << 29
MFD_HUGETLB = 4
MADV_HUGEPAGE = 14


def seconds(action: Callable[[], object]) -> float:
    """Time something."""
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def shared(flags: int, *, advise: bool) -> mmap.mmap:
    """Make shared memory, and touch all of it."""
    descriptor = os.memfd_create("probe", flags)
    os.ftruncate(descriptor, NBYTES)
    memory = mmap.mmap(descriptor, NBYTES)
    os.close(descriptor)
    if advise:
        memory.madvise(MADV_HUGEPAGE)
    np.frombuffer(memory, np.uint8)[::4096] = 1
    return memory


def copy_rates(driver: Driver, address: int) -> dict[str, float]:
    """Copy to the device and back; give the GB/s of each way, the best of three."""
    target, stream = driver.allocate(NBYTES), driver.stream()
    rates = {}
    for name, copy in (
        ("to the device", lambda: driver.to_device(target, address, NBYTES, stream)),
        ("to the host", lambda: driver.to_host(address, target, NBYTES, stream)),
    ):

        def once(copy: Callable[[], None] = copy) -> None:
            copy()
            driver.synchronize(stream)

        rates[f"GB/s {name}"] = round(NBYTES / min(seconds(once) for _ in range(3)) / 1e9, 2)
    driver.free(target)
    return rates


def try_shared(driver: Driver, flags: int, *, advise: bool) -> dict[str, float]:
    """Pin shared memory and copy from it."""
    begin = time.perf_counter()
    memory = shared(flags, advise=advise)
    found = {"s to touch": round(time.perf_counter() - begin, 4)}
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    found["s to pin"] = round(seconds(lambda: driver.register(address, NBYTES)), 4)
    found |= copy_rates(driver, address)
    found["s to unpin"] = round(seconds(lambda: driver.unregister(address)), 4)
    return found


def try_plain(driver: Driver) -> dict[str, float]:
    """Copy from memory that is not pinned."""
    memory = shared(0, advise=False)
    return copy_rates(driver, ctypes.addressof(ctypes.c_char.from_buffer(memory)))


def try_own(driver: Driver) -> dict[str, float]:
    """Copy from the driver's own pinned memory."""
    begin = time.perf_counter()
    address = driver.allocate_host(NBYTES)
    found = {"s to allocate": round(time.perf_counter() - begin, 4)}
    found |= copy_rates(driver, address)
    driver.free_host(address)
    return found


def main() -> None:
    """Try everything; each is told at once, in case that the next one takes too long."""
    driver = Driver()
    setting = Path("/sys/kernel/mm/transparent_hugepage/shmem_enabled")
    tries = {
        "4 KiB": lambda: try_shared(driver, 0, advise=False),
        "cuMemHostAlloc": lambda: try_own(driver),
        "not pinned": lambda: try_plain(driver),
        "advised to be huge": lambda: try_shared(driver, 0, advise=True),
        "hugetlb": lambda: try_shared(driver, MFD_HUGETLB, advise=False),
        "setting": lambda: setting.read_text().strip(),
    }
    answer: dict[str, object] = {"bytes": NBYTES}
    for name, attempt in tries.items():
        answer[name] = outcome(attempt)
        conclude(answer)


if __name__ == "__main__":
    main()
