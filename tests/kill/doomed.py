# SPDX-License-Identifier: Apache-2.0
"""Processes that are going to be killed."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import tempfile
import time
from typing import TYPE_CHECKING, NamedTuple, Self

from tests.helpers.processes import KILL_POINT_LIBRARY, ProgramError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: A process that lives longer than this never gets where it was to be killed.
PATIENCE = 30

HOST_DIED = 3


class Death(NamedTuple):
    """What is known of a process that has ended."""

    pid: int
    #: ``time.monotonic()`` at which the kernel reported it.
    time: float
    #: As from `subprocess.Popen.wait`.
    status: int
    #: Whether it held a lock, by its own account.
    was_critical: bool

    @property
    def was_killed(self) -> bool:
        """Whether it died of SIGKILL."""
        return self.status == -signal.SIGKILL


class Doomed:
    """A C++ program of ``cpp/tests/crash``, with its pidfd and the words that outlive it.

    Parameters
    ----------
    program
        ``"host"`` or ``"victim"``.
    arguments
        ``{state}`` stands for the descriptor of the words.
    kill_point
        ``"name:pass"`` at which it kills itself.
    stop_point
        The same, at which it stops until it is told to go on.
    environment
        Added to this process's environment.
    """

    def __init__(
        self,
        program: str,
        *arguments: object,
        kill_point: str | None = None,
        stop_point: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._state = os.memfd_create("crash-state")
        os.ftruncate(self._state, 8)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        environment = {**os.environ, **(environment or {})}
        if kill_point is not None:
            environment["CLARA_FASTIO_KILL"] = kill_point
        if stop_point is not None:
            environment["CLARA_FASTIO_STOP"] = stop_point
        self._process = subprocess.Popen(
            [
                str(KILL_POINT_LIBRARY / f"crash_{program}"),
                *(str(one).format(state=self._state) for one in arguments),
            ],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
            pass_fds=(self._state,),
        )
        self._pidfd = os.pidfd_open(self._process.pid)

    @classmethod
    def victim(
        cls,
        context_name: str,
        role: str,
        *,
        passes: int = 1_000_000,
        kill_point: str | None = None,
    ) -> Self:
        """Start a process that uses a context in one role."""
        return cls("victim", context_name, role, "{state}", passes, kill_point=kill_point)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def passes(self) -> int:
        """Passes that it has counted so far."""
        return int.from_bytes(os.pread(self._state, 4, 4), "little")

    @property
    def errors(self) -> str:
        """What it wrote to standard error."""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")

    def wait_until_ready(self) -> bool:
        """Wait for its first line; return whether it came before the end."""
        return self._process.stdout.readline() != b""

    def ask(self, line: str) -> str:
        """Write a line, wait for the one that answers."""
        self._process.stdin.write(f"{line}\n".encode())
        return self._process.stdout.readline().decode().strip()

    def kill(self) -> None:
        """Kill it, whatever it is doing."""
        self._process.kill()

    def kill_after(self, seconds: float) -> None:
        """Kill it after some time."""
        time.sleep(seconds)
        self.kill()

    def wait_until_stopped(self) -> None:
        """Wait until it has stopped where it was to."""
        _, status = os.waitpid(self.pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            raise ProgramError(f"process {self.pid} ended before it stopped: {self.errors}")

    def go_on(self) -> None:
        """Let it go on after a stop."""
        self._process.send_signal(signal.SIGCONT)

    def has_ended(self, timeout: float = 0) -> bool:
        """Wait until the kernel reports its end."""
        return bool(select.select([self._pidfd], [], [], timeout)[0])

    def wait_for_death(self) -> Death:
        """Wait until the kernel reports its end; tell what is known of it."""
        if not self.has_ended(PATIENCE):
            raise ProgramError(f"process {self.pid} is still alive: {self.errors}")
        now = time.monotonic()
        status = self._process.wait()
        was_critical = os.pread(self._state, 4, 0) != bytes(4)
        return Death(self.pid, now, status, was_critical)

    def finish(self) -> int:
        """Ask a host to end; return its status."""
        self._process.stdin.close()
        return self._process.wait(PATIENCE)

    def close(self) -> None:
        """Make sure that it has ended, and close what belongs to it."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            stream.close()
        os.close(self._pidfd)
        os.close(self._state)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
