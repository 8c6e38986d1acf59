# SPDX-License-Identifier: Apache-2.0
"""The process runtime: starts an operator's program through its launcher and follows it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from signal import Signals
from typing import TYPE_CHECKING

from clara_fastio.errors import LayoutError
from clara_fastio.runner.channel import Channel
from clara_fastio.runner.orphans import kill_orphans

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from clara_fastio.runner.payload import DiskEntry

_LAUNCHER = Path(__file__).with_name("launcher.py")
# The interpreter alone, without site-packages and without the operator's PYTHON* variables.
_PROGRAM = (sys.executable, "-I", "-S", str(_LAUNCHER))
_LONGEST_LINE = 1 << 16
#: Seconds that a log may stay open after all its writers were killed.
_LOG_DRAIN = 5.0


@dataclass(frozen=True, kw_only=True)
class Launch:
    """All that is needed to start one operator.

    `mounts` are the disk entries to show at their declared paths, in a tree of files that is
    rebuilt in the empty folder `mount_root`; none leaves the tree as it is. `descriptors` are
    inherited under the same numbers.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    mounts: Sequence[DiskEntry]
    mount_root: Path
    descriptors: Sequence[int]
    log: Path
    on_line: Callable[[str], None]


@dataclass(frozen=True)
class Exit:
    """How a process ended; `error` says why it could not even be started."""

    code: int
    peak_memory: int | None
    error: str = ""

    def describe(self) -> str:
        """Say how, in a sentence without its full stop."""
        if self.error:
            return self.error
        if self.code < 0:
            return f"the process was killed by {_signal_name(-self.code)}"
        return f"the process exited with code {self.code}"


def _signal_name(number: int) -> str:
    try:
        return Signals(number).name
    except ValueError:
        return f"signal {number}"


class OperatorProcess:
    """A started operator, its launcher and its log.

    Lifetime: nothing of it is alive after :meth:`wait` has returned.
    """

    def __init__(self, launcher: subprocess.Popen[bytes], link: Channel, launch: Launch) -> None:
        self._launcher = launcher
        self._link = link
        self._launch = launch
        self._error = ""
        self._exit: Exit | None = None
        #: Process id of the operator, once it is known.
        self.pid: int | None = None

    @classmethod
    async def start(cls, launch: Launch) -> OperatorProcess:
        """Start a launcher that starts the operator."""
        link, inherited = Channel.pair()
        plan = {
            "link": inherited.fileno(),
            "descriptors": list(launch.descriptors),
            "root": str(launch.mount_root),
            "mounts": [
                (str(entry.folder), entry.path, "r" if entry.is_input else "rw")
                for entry in launch.mounts
            ],
            "directory": str(launch.directory),
        }
        with inherited:
            try:
                launcher = subprocess.Popen(  # noqa: ASYNC220 - returns after exec of the launcher
                    [*_PROGRAM, json.dumps(plan), *launch.command],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    env=dict(launch.environment),
                    pass_fds=[inherited.fileno(), *launch.descriptors],
                    start_new_session=True,
                )
            except BaseException:
                link.close()
                raise
        await link.open()
        return cls(launcher, link, launch)

    @property
    def launcher_pid(self) -> int:
        """Process id of the launcher."""
        return self._launcher.pid

    def terminate(self) -> None:
        """Ask the operator's process group to end, by SIGTERM."""
        self._link.send(b"T")

    def kill(self) -> None:
        """Kill the operator and all that it started."""
        self._link.send(b"K")

    async def wait(self) -> Exit:
        """Wait until the operator, all that it started and its launcher have ended."""
        log = asyncio.create_task(self._write_log())
        try:
            await self._listen()
            await _wait_for_end(self._launcher)
            code = self._launcher.wait()
            if self._exit is None:
                self._exit = self._lose_launcher(code)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(log, _LOG_DRAIN)
        finally:
            log.cancel()
            self._link.close()
            if self._launcher.stdout is not None:
                self._launcher.stdout.close()
        return self._exit

    def _lose_launcher(self, code: int) -> Exit:
        """Take the end of an operator whose launcher was killed; this process inherits the rest."""
        ended = Exit(code, None, f"its launcher ended with status {code}")
        if self.pid is not None:
            with contextlib.suppress(ChildProcessError):
                _, status = os.waitpid(self.pid, 0)  # By its parent's death signal.
                ended = Exit(os.waitstatus_to_exitcode(status), None, self._error)
        names = ("NVIDIA_CLARA_JOBID", "NVIDIA_CLARA_STAGENAME")
        kill_orphans(*(f"{name}={self._launch.environment[name]}" for name in names))
        return ended

    async def _listen(self) -> None:
        """Follow the launcher until it closes the link."""
        with contextlib.suppress(LayoutError):  # A launcher that was killed while it wrote.
            async for message in self._link.messages():
                if message["kind"] == "started":
                    self.pid = message["pid"]
                elif message["kind"] == "error":
                    self._error = message["message"]
                else:
                    # The kernel counts in units of 1024 bytes.
                    self._exit = Exit(message["code"], message["memory"] * 1024, self._error)

    async def _write_log(self) -> None:
        """Copy the operator's output to its log file and, line by line, to whoever watches."""
        reader = asyncio.StreamReader(limit=_LONGEST_LINE)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), self._launcher.stdout
        )
        rest = b""
        try:
            with self._launch.log.open("wb") as file:
                while data := await reader.read(_LONGEST_LINE):
                    file.write(data)
                    file.flush()
                    *lines, rest = (rest + data).split(b"\n")
                    if len(rest) > _LONGEST_LINE:
                        lines, rest = [*lines, rest], b""
                    for line in lines:
                        self._launch.on_line(line.decode(errors="replace").rstrip("\r"))
        finally:
            if rest:
                self._launch.on_line(rest.decode(errors="replace"))
            transport.close()


async def _wait_for_end(process: subprocess.Popen[bytes]) -> None:
    """Wait for a child by its descriptor; its status is still to be taken."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    pidfd = os.pidfd_open(process.pid)
    try:
        loop.add_reader(pidfd, ended.set)
        await ended.wait()
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)


async def probe_mounts(root: Path) -> str:
    """Find out whether operators may have mounts of their own.

    Returns
    -------
    str
        Empty if they may, else the reason why not.
    """
    probe = await asyncio.create_subprocess_exec(
        *_PROGRAM,
        "--probe",
        str(root),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await probe.communicate()
    if probe.returncode == 0:
        return ""
    return output.decode(errors="replace").strip() or f"status {probe.returncode}"
