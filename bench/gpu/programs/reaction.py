# SPDX-License-Identifier: Apache-2.0
"""Orders two kernels, and writes down when the first ended and the second began.

Usage: python -m bench.gpu.programs.reaction one - -
       python -m bench.gpu.programs.reaction first-event|second-event READ_FD WRITE_FD
       python -m bench.gpu.programs.reaction first|second CONTEXT CPU
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

import clara_fastio as fastio
from bench.gpu import kernels
from bench.gpu.driver import EVENT_DISABLE_TIMING, EVENT_INTERPROCESS, Driver, IpcHandle
from bench.gpu.programs.serving import serve
from bench.harness.serving import pin

if TYPE_CHECKING:
    from collections.abc import Callable

LONG_NS = 1_000_000
MOST = 1000


class Clock:
    """Adds up the host's time between `start` and `stop`."""

    def __init__(self) -> None:
        self.wall_ns = self.cpu_ns = 0

    def start(self) -> None:
        """Begin to count."""
        self.wall_ns -= time.monotonic_ns()
        self.cpu_ns -= time.process_time_ns()

    def stop(self) -> None:
        """End it."""
        self.wall_ns += time.monotonic_ns()
        self.cpu_ns += time.process_time_ns()


class Stamps:
    """Times that the device wrote down."""

    def __init__(self) -> None:
        self.array = kernels.counters(MOST)
        self.number = 0

    def add(self, on: Any) -> None:
        """Have the stream write down another."""
        kernels.stamp(self.array, self.number, on)
        self.number += 1

    def take(self) -> list[int]:
        """Fetch them, and begin anew."""
        found = kernels.fetch(self.array)[: self.number]
        self.number = 0
        return found


def answer(run: Callable[[int, Stamps, Stamps, Clock], None]) -> None:
    """Take orders; the answers have lists, which no `Sample` has."""
    ends, starts = Stamps(), Stamps()
    kernels.warm()

    def case(_: str, steps: int) -> dict[str, Any]:
        clock = Clock()
        run(steps, ends, starts, clock)
        return {
            "ends": ends.take(),
            "starts": starts.take(),
            "host_ns": clock.wall_ns,
            "cpu_ns": clock.cpu_ns,
        }

    serve(case)


def in_one_process() -> None:
    """Order two streams by an event."""
    driver = Driver()
    first, second = kernels.stream(), kernels.stream()
    event = driver.event(EVENT_DISABLE_TIMING)

    def run(steps: int, ends: Stamps, starts: Stamps, clock: Clock) -> None:
        for _ in range(steps):
            kernels.spin(LONG_NS, first)
            ends.add(first)
            clock.start()
            driver.record(event, first.ptr)
            driver.wait_event(second.ptr, event)
            clock.stop()
            starts.add(second)
            second.synchronize()

    answer(run)


def with_bare_event(role: str, read: int, write: int) -> None:
    """Order two processes by an event of theirs; a pipe tells when it was recorded."""
    driver, on = Driver(), kernels.stream()
    if role == "first-event":
        event = driver.event(EVENT_DISABLE_TIMING | EVENT_INTERPROCESS)
        os.write(write, bytes(driver.event_handle(event)))
    else:
        event = driver.open_event(IpcHandle.from_buffer_copy(os.read(read, 64)))

    def first(steps: int, ends: Stamps, _: Stamps, clock: Clock) -> None:
        for _ in range(steps):
            kernels.spin(LONG_NS, on)
            ends.add(on)
            clock.start()
            driver.record(event, on.ptr)
            os.write(write, b"r")
            clock.stop()
            os.read(read, 1)

    def second(steps: int, _: Stamps, starts: Stamps, clock: Clock) -> None:
        for _ in range(steps):
            os.read(read, 1)
            clock.start()
            driver.wait_event(on.ptr, event)
            clock.stop()
            starts.add(on)
            on.synchronize()
            os.write(write, b"a")

    answer(first if role == "first-event" else second)


def with_library(role: str, name: str, cpu: int) -> None:
    """Order two processes by a variable; another one tells that the consumer is done."""
    pin(cpu)
    on, context = kernels.stream(), fastio.open_context(name)
    done = 0

    def first(steps: int, ends: Stamps, _: Stamps, clock: Clock) -> None:
        nonlocal done
        for _ in range(steps):
            clock.start()
            mapping = x.map("w", timeout=10, stream=on)
            clock.stop()
            kernels.spin(LONG_NS, on)
            ends.add(on)
            clock.start()
            mapping.commit()
            clock.stop()
            done += 1
            acknowledged().wait(version=done, timeout=10)

    def second(steps: int, _: Stamps, starts: Stamps, clock: Clock) -> None:
        nonlocal done
        for _ in range(steps):
            done += 1
            produced().wait(version=done, timeout=10)
            clock.start()
            mapping = produced().map("r", timeout=10, stream=on)
            clock.stop()
            starts.add(on)
            clock.start()
            mapping.close()
            clock.stop()
            on.synchronize()
            with ack.map("w", timeout=10) as number:
                number[0] = done % 256

    if role == "first":
        x = context.variable("x", shape=(1024,), dtype="u32", memory="device")
        acknowledged = Later(context, "ack")
        answer(first)
    else:
        ack = context.variable("ack", shape=(1,))
        produced = Later(context, "x")
        answer(second)


class Later:
    """A variable that another process makes before anybody gets an order."""

    def __init__(self, context: fastio.Context, name: str) -> None:
        self._context = context
        self._name = name
        self._found: Any = None

    def __call__(self) -> Any:
        """Open it once."""
        if self._found is None:
            self._found = self._context[self._name]
        return self._found


def main() -> None:
    """Choose the way."""
    role, where, other = sys.argv[1:]
    if role == "one":
        in_one_process()
    elif role.endswith("-event"):
        with_bare_event(role, int(where), int(other))
    else:
        with_library(role, where, int(other))


if __name__ == "__main__":
    main()
