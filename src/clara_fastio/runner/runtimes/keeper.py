# SPDX-License-Identifier: Apache-2.0
"""The small parent of one operator's container: ``python -I -S keeper.py PLAN COMMAND...``.

The command is the client of a container engine, in the foreground. A container does not end with
its client, nor with the runner; this program sees to that:

1. The runner holds the other end of `link`; the end of file there means that the runner is gone,
   and the container is removed.
2. This process is a subreaper: what podman leaves behind to watch over the container is adopted
   here, waited for and, if it does not end, killed.

Only the standard library is imported and the interpreter starts without site-packages, because
this runs once per operator. Every line sent over `link` is a JSON object; every byte received is
a command: ``T`` ends the operator politely, ``K`` kills it.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from typing import Any

PR_SET_CHILD_SUBREAPER = 36
#: Seconds that an engine may take to remove a container: some copy each one's whole tree of files.
REMOVAL = 30.0
#: Seconds between two looks at who is still there.
PAUSE = 0.02
#: What the client says of a program that was killed by a signal: this much, and its number.
SIGNALLED = 128


class Keeper:
    """One container, from the start of its client until nothing of it is left."""

    def __init__(self, plan: dict[str, Any], command: list[str]) -> None:
        self._remove_command = plan["remove"]
        self._command = command
        self._link = socket.socket(fileno=plan["link"])
        self._link.set_inheritable(False)
        self._client = 0
        self._was_told_to_end = False

    def run(self) -> None:
        """Run the client to its end."""
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        try:
            self._client = os.posix_spawnp(
                self._command[0],
                self._command,
                dict(os.environ),
                setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],  # Python ignores them.
            )
        except OSError as error:
            message = f"the program {self._command[0]!r} cannot be started: {error.strerror}"
            self._send({"kind": "error", "message": message})
            self._send({"kind": "exited", "code": 127, "memory": None})
            return
        self._send({"kind": "started", "pid": None})
        code = self._follow()
        # A client that was told to end may have done so without its container.
        if self._was_told_to_end or code < 0 or not self._others_end():
            self._remove()
        if code > SIGNALLED and code - SIGNALLED in signal.valid_signals():
            code = SIGNALLED - code
        self._send({"kind": "exited", "code": code, "memory": None})

    def _follow(self) -> int:
        """Obey the runner until the client has ended; gives its exit code."""
        poller = select.poll()
        ended = os.pidfd_open(self._client)
        poller.register(ended, select.POLLIN)
        poller.register(self._link, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in poller.poll()}
            if ended in ready:
                return os.waitstatus_to_exitcode(os.waitpid(self._client, 0)[1])
            self._obey()

    def _obey(self) -> None:
        try:
            orders = self._link.recv(64)
        except ConnectionError:
            orders = b""
        self._was_told_to_end = True
        if orders and b"K" not in orders:
            os.kill(self._client, signal.SIGTERM)  # It passes that on to the operator.
            return
        # First the client, so that it starts nothing any more.
        os.kill(self._client, signal.SIGKILL)
        if not orders:
            self._remove()
            os._exit(1)

    def _remove(self) -> None:
        """Remove the container, and what watched over it."""
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(
                self._remove_command,
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=REMOVAL,
            )
        while others := self._others():
            for pid in others:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(PAUSE)

    def _others_end(self) -> bool:
        """Wait for what the engine has left here; podman's cleans up after the container."""
        deadline = time.monotonic() + REMOVAL
        while self._others():
            if time.monotonic() > deadline:
                return False
            time.sleep(PAUSE)
        return True

    def _others(self) -> list[int]:
        """List the adopted processes that are alive, but for the one that all of podman shares."""
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        return [pid for pid in children_of(os.getpid()) if not is_shared(pid)]

    def _send(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # The runner is gone, and will not hear it.
            self._link.sendall(json.dumps(message).encode() + b"\n")


def children_of(parent: int) -> list[int]:
    """List the processes whose parent is `parent`."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
                # The name of the program, in parentheses, may hold anything.
                if int(file.read().rpartition(b")")[2].split()[1]) == parent:
                    found.append(int(name))
    return found


def is_shared(pid: int) -> bool:
    """Whether it holds the user namespace that a user's rootless podman has for all commands."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read().split(b"\0")[:2] in ([b"catatonit", b"-P"], [b"podman pause", b""])
    return False


if __name__ == "__main__":
    Keeper(json.loads(sys.argv[1]), sys.argv[2:]).run()
