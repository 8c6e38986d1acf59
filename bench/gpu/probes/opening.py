# SPDX-License-Identifier: Apache-2.0
"""What does it cost to open memory of another process, by its size and by each mechanism?

Usage: python -m bench.gpu.probes.opening vmm|legacy|pool GIB...
"""

from __future__ import annotations

import ctypes
import os
import socket
import sys
import time
from ctypes import byref, c_int, c_size_t, c_uint64, c_void_p
from typing import TYPE_CHECKING

from bench.gpu.driver import (
    POSIX_DESCRIPTOR,
    READ_WRITE,
    Access,
    Driver,
    IpcHandle,
    Location,
    PoolPointer,
    PoolProperties,
)
from bench.gpu.probes.asking import Other, conclude, outcome, serve

if TYPE_CHECKING:
    from collections.abc import Callable

TIMES = 3


def serve_memory(connection: int) -> None:
    """Be the process that makes memory."""
    driver = Driver()
    channel = socket.socket(fileno=connection)

    def vmm(nbytes: int) -> None:
        socket.send_fds(channel, [b"f"], [driver.export(driver.create(nbytes))])

    def legacy(nbytes: int) -> str:
        return driver.ipc_handle(driver.allocate(nbytes)).text()

    def pool(nbytes: int) -> str:
        properties = PoolProperties()
        properties.type, properties.handle_types = 1, POSIX_DESCRIPTOR
        properties.location = Location(1, driver.device.value)
        made, pointer, exported = c_void_p(), c_uint64(), PoolPointer()
        driver.call("cuMemPoolCreate", byref(made), byref(properties))
        descriptor = c_int(-1)
        driver.call(
            "cuMemPoolExportToShareableHandle",
            byref(descriptor),
            made,
            c_int(POSIX_DESCRIPTOR),
            c_uint64(0),
        )
        stream = driver.stream()
        driver.call(
            "cuMemAllocFromPoolAsync", byref(pointer), c_size_t(nbytes), made, c_void_p(stream)
        )
        driver.synchronize(stream)
        driver.call("cuMemPoolExportPointer", byref(exported), pointer)
        socket.send_fds(channel, [b"f"], [descriptor.value])
        return bytes(exported).hex()

    serve({"vmm": vmm, "legacy": legacy, "pool": pool})


def timed(action: Callable[[], object]) -> tuple[float, object]:
    """Do something; give the milliseconds that it took, and its result."""
    begin = time.perf_counter_ns()
    result = action()
    return (time.perf_counter_ns() - begin) / 1e6, result


def received(channel: socket.socket) -> int:
    """Take a descriptor."""
    return socket.recv_fds(channel, 1, 1)[1][0]


def open_vmm(driver: Driver, channel: socket.socket, nbytes: int, _: object) -> list[float]:
    """Import and map, some times."""
    descriptor, taken = received(channel), []

    def once() -> tuple[int, int]:
        handle = driver.take(descriptor)
        return handle, driver.map(handle, nbytes, READ_WRITE)

    for _ in range(TIMES):
        milliseconds, (handle, pointer) = timed(once)
        taken.append(milliseconds)
        driver.unmap(pointer, nbytes)
        driver.release(handle)
    os.close(descriptor)
    return taken


def open_legacy(driver: Driver, _: socket.socket, __: int, made: str) -> list[float]:
    """Open by the handle, some times."""
    taken = []
    for _ in range(TIMES):
        milliseconds, pointer = timed(lambda: driver.open_ipc(IpcHandle.of(made)))
        taken.append(milliseconds)
        driver.close_ipc(pointer)
    return taken


def open_pool(driver: Driver, channel: socket.socket, _: int, made: str) -> list[float]:
    """Import the pool and one pointer of it, once: a second time is said to break the first."""
    pool, pointer = c_void_p(), c_uint64()
    exported = PoolPointer.from_buffer_copy(bytes.fromhex(made))
    descriptor = received(channel)

    def once() -> None:
        driver.call(
            "cuMemPoolImportFromShareableHandle",
            byref(pool),
            c_void_p(descriptor),
            c_int(POSIX_DESCRIPTOR),
            c_uint64(0),
        )
        access = Access(Location(1, driver.device.value), READ_WRITE)
        # Refused for the device that the pool is on, which has access anyway.
        driver.attempt("cuMemPoolSetAccess", pool, byref(access), c_size_t(1))
        driver.call("cuMemPoolImportPointer", byref(pointer), pool, byref(exported))

    return [timed(once)[0]]


OPEN = {"vmm": open_vmm, "legacy": open_legacy, "pool": open_pool}


def main() -> None:
    """Ask for each size; whatever ends this process ends the larger sizes too."""
    if len(sys.argv) == 2:
        serve_memory(int(sys.argv[1]))
        return
    mechanism, sizes = sys.argv[1], [float(text) for text in sys.argv[2:]]
    driver = Driver()
    answer: dict[str, object] = {}
    for size in sizes:
        nbytes = int(size * (1 << 30))
        ours, theirs = socket.socketpair()
        with ours, theirs, Other("opening", theirs.fileno(), pass_fds=[theirs.fileno()]) as maker:

            def measure(
                maker: Other = maker, ours: socket.socket = ours, n: int = nbytes
            ) -> object:
                made = maker.ask(mechanism, nbytes=n)
                taken = OPEN[mechanism](driver, ours, n, made)
                return {"ms": [round(one, 3) for one in taken]}

            answer[f"{size:g} GiB"] = outcome(measure)
        conclude(answer)  # What is known so far, in case that the next one is the last.


if __name__ == "__main__":
    ctypes.pythonapi  # noqa: B018 - loaded before anything is timed
    main()
