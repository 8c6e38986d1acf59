# SPDX-License-Identifier: Apache-2.0
"""Do interprocess events work with, and without, a /dev/shm that both processes see?"""

from __future__ import annotations

import ctypes
import os
import sys

from bench.gpu.driver import EVENT_DISABLE_TIMING, EVENT_INTERPROCESS, Driver, IpcHandle
from bench.gpu.probes.asking import Other, conclude, outcome, serve

NEW_MOUNTS, NEW_IPC = 0x20000, 0x8000000
PRIVATE_RECURSIVE = 0x44000


def hide_shared_memory() -> None:
    """Give this process a /dev/shm and System V memory of its own."""
    libc = ctypes.CDLL(None, use_errno=True)

    def must(result: int) -> None:
        if result:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    must(libc.unshare(NEW_MOUNTS | NEW_IPC))
    must(libc.mount(b"none", b"/", None, PRIVATE_RECURSIVE, None))
    must(libc.mount(b"probe", b"/dev/shm", b"tmpfs", 0, None))


def serve_events(where: str) -> None:
    """Be the process that opens the event."""
    if where == "hidden":
        hide_shared_memory()
    driver = Driver()
    opened: list[int] = []

    def open_event(handle: str) -> None:
        opened.append(driver.open_event(IpcHandle.of(handle)))

    def wait() -> None:
        stream = driver.stream()
        driver.wait_event(stream, opened[0])
        driver.synchronize(stream)

    serve({"open": open_event, "wait": wait})


def main() -> None:
    """Make events, and ask."""
    if len(sys.argv) > 1:
        serve_events(sys.argv[1])
        return
    driver = Driver()
    stream = driver.stream()
    answer = {}
    for where in ("common", "hidden"):
        event = driver.event(EVENT_DISABLE_TIMING | EVENT_INTERPROCESS)
        driver.record(event, stream)
        handle = driver.event_handle(event).text()
        with Other("events", where) as other:
            answer[f"{where} /dev/shm"] = {
                "open": outcome(lambda o=other, h=handle: o.ask("open", handle=h)),
                "wait": outcome(lambda o=other: o.ask("wait", timeout=10)),
            }
    answer["open in the process that made it"] = outcome(
        lambda: hex(driver.open_event(driver.event_handle(event)))
    )
    conclude(answer)


if __name__ == "__main__":
    main()
