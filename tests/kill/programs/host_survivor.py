# SPDX-License-Identifier: Apache-2.0
"""Opens one context after another, and sees what is left of each when its host has died.

Each line of standard input is a command in JSON, each line of standard output its answer.
"""

from __future__ import annotations

import json
import sys
import threading
import time
import traceback

import clara_fastio as fastio

#: Seconds after the kernel's report within which everybody is told.
LIMIT = 1.0


class Waiter(threading.Thread):
    """Waits, without a limit, for what is never going to happen."""

    def __init__(self, wait):
        super().__init__(daemon=True)
        self._wait = wait
        self.error = None
        self.woken = None
        self.start()

    def run(self):
        try:
            self._wait()
        except BaseException as error:
            self.error = error.with_traceback(None)
        self.woken = time.monotonic()


class Survivor:
    def __init__(self):
        self._context = None
        self._waiters = []
        self._mappings = []
        self._arrays = []

    def open(self, name):
        """Open a context and wait in every way there is; a host may die while this goes on."""
        try:
            self._context = context = fastio.open_context(name)
            board = context.create(80_000)
            board.set_type_and_dimensions("u64", (10_000,))
            board.publish("board")
            own = context.variable("own", shape=(50_000,), dtype="u64")
            with own.map("w") as array:
                array[...] = 7
            reading = own.map("r")
            locked = context.create(4096)
            locked.publish("locked")
            writing = locked.map("w")
            self._mappings = [reading, writing]
            self._arrays = [reading.array, writing.array]
            self._waiters = [
                Waiter(lambda: locked.map("r", timeout=None)),
                Waiter(lambda: locked.map("w", timeout=None)),
                Waiter(lambda: own.wait(version=1_000, timeout=None)),
                Waiter(lambda: context.get("never", timeout=None)),
            ]
        except (fastio.HostDiedError, fastio.NotFoundError) as error:
            return {"opened": False, "at": time.monotonic(), "error_class": type(error).__name__}
        return {"opened": True}

    def died(self, since):
        """See what is left; `since` is when the kernel reported the death."""
        for waiter in self._waiters:
            waiter.join(max(0.0, since + LIMIT - time.monotonic()))
            assert waiter.woken is not None, "a waiter was not told within a second"
            assert isinstance(waiter.error, fastio.HostDiedError), repr(waiter.error)
        woken = max((waiter.woken for waiter in self._waiters), default=since)
        if self._context is not None:
            self._see_that_calls_say_so()
        recovery = max(woken, since) - since
        answer = {"recovery": recovery, "waiters": len(self._waiters)}
        if self._arrays:
            self._use_arrays(*self._arrays)
        self._forget()
        return answer

    def _use_arrays(self, reading, writing):
        assert (reading == 7).all(), "an array that exists has changed"
        writing[...] = 9
        assert (writing == 9).all()

    def _forget(self):
        self._waiters.clear()
        self._arrays.clear()
        for mapping in self._mappings:
            mapping.close()
        self._mappings.clear()
        if self._context is not None:
            self._context.close()
            self._context = None

    def _see_that_calls_say_so(self):
        calls = (
            lambda: self._context["board"],
            lambda: self._context.create(10),
            lambda: self._context.variable("other", shape=(1,)),
            self._context.entries,
        )
        for call in calls:
            try:
                call()
            except fastio.HostDiedError:
                continue
            raise AssertionError("a call went on after the death of the host")


def main():
    survivor = Survivor()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = getattr(survivor, command.pop("do"))(**command)
        except BaseException:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), flush=True)


main()
