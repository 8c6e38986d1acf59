# SPDX-License-Identifier: Apache-2.0
"""Lives on: contends for the board all the time, and takes stock after each death.

Usage: ``survivor.py CONTEXT MODE``. Each line of standard input is a command in JSON, each line of
standard output its answer.
"""

from __future__ import annotations

import json
import sys
import threading
import time
import traceback

import numpy as np

import clara_fastio as fastio

#: Seconds after the kernel's report within which everything has to be usable again.
LIMIT = 1.0


def is_whole(array):
    words = np.asarray(array).reshape(-1).view(np.uint64)
    return words.size == 0 or bool((words == words[0]).all())


class Contender(threading.Thread):
    """Takes the lock of the board again and again, waiting for as long as it takes."""

    def __init__(self, context, mode):
        super().__init__(daemon=True)
        self._board = context["board"]
        self._mode = mode
        self._changed = threading.Condition()
        self._passes = 0
        self._failure = None
        self._pause = threading.Event()

    def run(self):
        try:
            while not self._pause.wait(0.0002):  # So that others get a turn.
                self._take_once()
                with self._changed:
                    self._passes += 1
                    self._changed.notify_all()
        except BaseException:
            with self._changed:
                self._failure = traceback.format_exc()
                self._changed.notify_all()

    def _take_once(self):
        try:
            with self._board.map(self._mode, timeout=None) as array:
                if self._mode == "w":
                    array[...] = time.monotonic_ns()
                elif not is_whole(array):
                    raise AssertionError("the board is a mixture, and nothing said so")
        except fastio.LockAbandonedError:
            pass  # Its last writer was killed; a writer puts it right.

    def wait_for_another_pass(self, timeout):
        """Wait until it has had the lock once more from now on."""
        with self._changed:
            wanted = self._passes + 2  # The one that is under way may be over already.
            self._changed.wait_for(lambda: self._passes >= wanted or self._failure, timeout)
            if self._failure:
                raise AssertionError(self._failure)
            if self._passes < wanted:
                raise AssertionError(f"the contender did not get the lock for {timeout} s")

    def stop(self):
        self._pause.set()
        self.join()


class Survivor:
    def __init__(self, name, mode):
        self._context = fastio.open_context(name)
        self._mode = mode
        self._torn = 0
        if mode == "w":
            self._steady = self._context.variable("steady", shape=(25_000,), dtype="u64")
            self._write_whole(self._steady)
        self._contender = Contender(self._context, mode)
        self._contender.start()

    def check(self, dead, since):
        """Take stock after deaths that the kernel reported at `since`."""
        self._torn = 0
        while {process.pid for process in self._context.processes()} & set(dead):
            self._require_in_time(since, "the dead are still in the table of processes")
            time.sleep(0.001)
        self._contender.wait_for_another_pass(LIMIT)
        for name in list(self._context):
            if self._mode == "w":
                self._take_over(name)
            elif name in {"board", "steady", "held"}:
                self._read(self._context[name])
        if self._mode == "w":
            self._leave_nothing(dead)
        self._require_in_time(since, "the survivors did not go on")
        return {"recovery": time.monotonic() - since, "torn": self._torn}

    def close(self):
        self._contender.stop()
        self._context.close()
        sys.stdin.close()
        return {}

    def _read(self, entry):
        # What only the dead used is free at once.
        timeout = 0 if entry.name.startswith("victim-") else LIMIT
        try:
            with entry.map("r", timeout=timeout) as array:
                assert is_whole(array), f"{entry.name} is a mixture, and nothing said so"
        except fastio.LockAbandonedError:
            self._torn += 1
        except (fastio.NotReadyError, fastio.PeerDiedError):
            pass  # Its producer was killed before it had written anything.

    def _write_whole(self, entry):
        if isinstance(entry, fastio.Variable) and entry.is_dynamic:
            entry.update_shape((100,))
        with entry.map("w", timeout=LIMIT) as array:
            array.reshape(-1).view(np.uint64)[...] = time.monotonic_ns()

    def _take_over(self, name):
        entry = self._context[name]
        self._read(entry)
        try:
            self._write_whole(entry)
        except fastio.ReadOnlyError:
            if "-sealed-" not in name:
                raise
        with entry.map("r", timeout=LIMIT) as array:
            assert is_whole(array)
        if name.startswith("victim-"):
            entry.free()
            self._use_name(name)

    def _use_name(self, name):
        block = self._context.create(64)
        block.publish(name)
        assert self._context.get(name).is_published
        block.free()

    def _leave_nothing(self, dead):
        owners = {None, *(f"pid {pid}" for pid in dead)}
        left = [one for one in self._context.entries() if one.state == "unpublished"]
        left = [one for one in left if one.producer in owners]
        assert not left, f"private memory of the dead is left: {left}"

    @staticmethod
    def _require_in_time(since, what):
        passed = time.monotonic() - since
        assert passed <= LIMIT, f"{what} after {passed:.3f} s"


def main():
    survivor = Survivor(*sys.argv[1:])
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = getattr(survivor, command.pop("do"))(**command)
        except BaseException:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), flush=True)
        if sys.stdin.closed:
            return


main()
