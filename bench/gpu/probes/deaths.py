# SPDX-License-Identifier: Apache-2.0
"""Is memory still good, and is it given back, when the process that made it was killed?"""

from __future__ import annotations

import socket
import sys
import time

from bench.gpu.driver import Driver, IpcHandle
from bench.gpu.probes.asking import Other, conclude, outcome, serve

NBYTES = 1 << 30


def serve_memory(connection: int) -> None:
    """Be the process that makes memory and is killed."""
    driver = Driver()
    stream = driver.stream()
    made: list[int] = []

    def filled(pointer: int) -> int:
        made.append(pointer)
        driver.fill(pointer, 7, NBYTES, stream)
        driver.synchronize(stream)
        return pointer

    def vmm() -> None:
        handle = driver.create(NBYTES)
        filled(driver.map(handle, NBYTES))
        with socket.socket(fileno=connection) as channel:
            socket.send_fds(channel, [b"f"], [driver.export(handle)])

    def legacy() -> str:
        return driver.ipc_handle(filled(driver.allocate(NBYTES))).text()

    serve({"vmm": vmm, "legacy": legacy})


def try_with(driver: Driver, mechanism: str) -> dict[str, object]:
    """Import memory, kill its maker, and look."""
    mib = 1 << 20
    found: dict[str, object] = {"free MiB before": driver.free_memory() // mib}
    ours, theirs = socket.socketpair()
    with ours, theirs, Other("deaths", theirs.fileno(), pass_fds=[theirs.fileno()]) as maker:
        made = maker.ask(mechanism)
        if mechanism == "vmm":
            _, (descriptor,), _, _ = socket.recv_fds(ours, 1, 1)
            handle = driver.take(descriptor)
            pointer = driver.map(handle, NBYTES)
        else:
            pointer = driver.open_ipc(IpcHandle.of(made))
        found["read before (7)"] = driver.first_bytes(pointer)[0]
        found["free MiB while both live"] = driver.free_memory() // mib
        begin = time.monotonic()
        maker.kill()
        found["seconds until it was gone"] = round(time.monotonic() - begin, 3)
    found["read afterwards (7)"] = outcome(lambda: driver.first_bytes(pointer)[0])
    found["free MiB after the death"] = outcome(lambda: driver.free_memory() // mib)
    if mechanism == "vmm":
        found["unmap"] = outcome(lambda: driver.unmap(pointer, NBYTES))
        found["release"] = outcome(lambda: driver.release(handle))
    else:
        found["close"] = outcome(lambda: driver.close_ipc(pointer))
    found["free MiB at the end"] = outcome(lambda: driver.free_memory() // mib)
    return found


def main() -> None:
    """Ask for each mechanism."""
    if len(sys.argv) > 1:
        serve_memory(int(sys.argv[1]))
        return
    driver = Driver()
    conclude({name: outcome(lambda n=name: try_with(driver, n)) for name in ("vmm", "legacy")})


if __name__ == "__main__":
    main()
