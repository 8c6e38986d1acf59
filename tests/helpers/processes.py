# SPDX-License-Identifier: Apache-2.0
"""Separate Python programs, started by exec, that a test talks to line by line."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ROOT = Path(__file__).resolve().parents[2]

#: Holds the C++ library with kill points compiled in; the same Python modules load it instead.
KILL_POINT_LIBRARY = ROOT / "build" / "test" / "cpp"


class ProgramError(AssertionError):
    """A program ended, stayed silent or said something else than the test wanted."""


class Program:
    """A running Python program with a time limit on its whole life.

    Synchronise by lines, never by sleeping: the program prints ``ready``, the test calls
    ``expect("ready")``, and ``send`` writes to the program's standard input.

    Parameters
    ----------
    source
        A file, or the text of a program (indentation is removed).
    arguments
        Become ``sys.argv[1:]``.
    timeout
        Seconds from now; whoever waits for the program longer than that gets a `ProgramError`.
    environment
        Added to this process's environment.
    pass_fds
        Descriptors that the program inherits under the same numbers.
    kill_points
        Load the C++ library that has kill points.
    """

    def __init__(
        self,
        source: str | Path,
        *arguments: object,
        timeout: float = 20,
        environment: Mapping[str, str] | None = None,
        pass_fds: Iterable[int] = (),
        kill_points: bool = False,
    ) -> None:
        environment = {**os.environ, **(environment or {})}
        if kill_points:
            environment["LD_LIBRARY_PATH"] = str(KILL_POINT_LIBRARY)
        program = [str(source)] if isinstance(source, Path) else ["-c", textwrap.dedent(source)]
        self._deadline = time.monotonic() + timeout
        self._unread = bytearray()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", *program, *map(str, arguments)],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
            pass_fds=tuple(pass_fds),
        )

    @property
    def pid(self) -> int:
        """Process id of the program."""
        return self._process.pid

    @property
    def errors(self) -> str:
        """What the program has written to standard error so far."""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")

    def send(self, line: str = "") -> None:
        """Write one line to the program's standard input."""
        self._process.stdin.write(f"{line}\n".encode())

    def close_input(self) -> None:
        """End the program's standard input."""
        self._process.stdin.close()

    def read_line(self) -> str:
        """Wait for the next line of standard output; empty at its end."""
        while b"\n" not in self._unread:
            received = self._receive()
            if not received:
                break
            self._unread += received
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode()

    def expect(self, line: str) -> None:
        """Wait for the next line and fail if it is another one."""
        found = self.read_line()
        if found != line:
            raise ProgramError(self._describe(f"expected {line!r}, found {found!r}"))

    def wait(self) -> int:
        """Wait for the end; return the exit status, negative for a signal."""
        try:
            return self._process.wait(self._remaining())
        except subprocess.TimeoutExpired:
            raise ProgramError(self._describe("still running at its time limit")) from None

    def finish(self) -> str:
        """Wait for a successful end; return what was left to read on standard output."""
        output = self._unread
        while received := self._receive():
            output += received
        status = self.wait()
        if status != 0:
            raise ProgramError(self._describe(f"ended with status {status}"))
        return output.decode()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, and wait until a stop has taken effect; nothing when it has ended."""
        self._process.send_signal(number)
        if number == signal.SIGSTOP:
            os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def kill(self) -> None:
        """Kill the program as a crash would, and wait until the kernel has taken it down."""
        self.signal(signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """Make sure that the program has ended, and close the pipes to it."""
        self.kill()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            stream.close()

    def _receive(self) -> bytes:
        """Wait for some bytes of standard output; none at its end."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(self._remaining()):
                raise ProgramError(self._describe("silent until its time limit"))
        return self._process.stdout.read(65536)

    def _remaining(self) -> float:
        return max(0.0, self._deadline - time.monotonic())

    def _describe(self, what: str) -> str:
        return f"program {self.pid}: {what}; its standard error:\n{self.errors}"
