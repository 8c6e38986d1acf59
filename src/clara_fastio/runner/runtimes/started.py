# SPDX-License-Identifier: Apache-2.0
"""A started operator, seen from the runner: a small parent program, its link and its log."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

from clara_fastio.errors import LayoutError
from clara_fastio.runner.channel import Channel
from clara_fastio.runner.runtimes.log_file import LogFile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from clara_fastio.runner.runtimes.launch import Exit, Launch

_LONGEST_LINE = 1 << 16
#: Seconds that a log may stay open after all its writers were killed.
_LOG_DRAIN = 5.0


class StartedOperator(ABC):
    """A started operator, its parent and its log.

    The parent is a program that ends everything below it when the link to it is closed. It sends
    ``started``, ``error`` and ``exited``, and takes ``T`` (end politely) and ``K`` (kill).

    Lifetime: nothing of it is alive after :meth:`wait` has returned.
    """

    def __init__(self, parent: subprocess.Popen[bytes], link: Channel, launch: Launch) -> None:
        self._parent = parent
        self._link = link
        self._launch = launch
        self._error = ""
        self._exit: Exit | None = None
        #: Process id of the operator, once it is known.
        self.pid: int | None = None

    @classmethod
    async def spawn(
        cls,
        launch: Launch,
        command: Callable[[int], Sequence[str]],
        environment: Mapping[str, str],
        descriptors: Sequence[int] = (),
        directory: Path | None = None,
    ) -> Self:
        """Start the parent.

        Parameters
        ----------
        launch
            The operator.
        command
            Gives the parent's command line for the number of the link.
        environment
            Of the parent.
        descriptors
            That it inherits besides the link, under the same numbers.
        directory
            Where it is started; here by default.
        """
        link, inherited = Channel.pair()
        with inherited:
            try:
                parent = subprocess.Popen(  # noqa: ASYNC220 - returns after exec of the parent
                    command(inherited.fileno()),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    env=dict(environment),
                    pass_fds=[inherited.fileno(), *descriptors],
                    cwd=directory,
                    start_new_session=True,
                )
            except BaseException:
                link.close()
                raise
        await link.open()
        return cls(parent, link, launch)

    def terminate(self) -> None:
        """Ask the operator to end, by SIGTERM."""
        self._link.send(b"T")

    def kill(self) -> None:
        """Kill the operator and all that it started."""
        self._link.send(b"K")

    async def exceed_memory(self) -> int:
        """Wait until it uses more memory than it requests; gives the bytes that it uses then.

        A runtime whose operators are limited by somebody else waits for ever.
        """
        never: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        return await never

    async def wait(self) -> Exit:
        """Wait until the operator, all that it started and its parent have ended."""
        log = asyncio.create_task(self._write_log())
        try:
            await self._listen()
            await _wait_for_end(self._parent)
            code = self._parent.wait()
            if self._exit is None:
                self._exit = await self._lose_parent(code)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(log, _LOG_DRAIN)
        finally:
            log.cancel()
            self._link.close()
            if self._parent.stdout is not None:
                self._parent.stdout.close()
        return self._exit

    @abstractmethod
    def _exited(self, code: int, memory: int | None) -> Exit:
        """Judge the end that the parent reports."""

    @abstractmethod
    async def _lose_parent(self, code: int) -> Exit:
        """End an operator whose parent was killed."""

    async def _listen(self) -> None:
        """Follow the parent until it closes the link."""
        with contextlib.suppress(LayoutError):  # A parent that was killed while it wrote.
            async for message in self._link.messages():
                if message["kind"] == "started":
                    self.pid = message["pid"]
                elif message["kind"] == "error":
                    self._error = message["message"]
                else:
                    self._exit = self._exited(message["code"], message["memory"])

    async def _write_log(self) -> None:
        """Copy the operator's output to its log file and, line by line, to whoever watches."""
        reader = asyncio.StreamReader(limit=_LONGEST_LINE)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), self._parent.stdout
        )
        rest = b""
        try:
            with LogFile(self._launch.log, self._launch.log_limit) as file:
                while data := await reader.read(_LONGEST_LINE):
                    file.write(data)
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
