# SPDX-License-Identifier: Apache-2.0
"""The server's side of the supervisor, which starts the runners."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import socket
import sys
from typing import TYPE_CHECKING, Literal

from clara_fastio.errors import SystemCallError
from clara_fastio.platform.jobs.supervisor import LARGEST_PACKET, RESTORED

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOG = logging.getLogger("clara_fastio.platform")
_MODULE = "clara_fastio.platform.jobs.supervisor"
#: What a server is told in secret is not for operators.
_SECRET = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|DATABASE_URL|_KEY$|^PG", re.IGNORECASE)
#: The library of numpy would start threads, and what has threads must not fork.
_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
#: The status of a runner that is not known, because the supervisor was killed.
LOST = -1000


class Supervision:
    """Starts a supervisor when there is something to be started, and another when one has died.

    Thread safety: only on one loop.
    """

    def __init__(self) -> None:
        self._connection: socket.socket | None = None
        self._runners: dict[str, asyncio.Future[int]] = {}
        self._sending = asyncio.Lock()
        #: Process id of the supervisor, 0 before there is one.
        self.pid = 0

    def open(self) -> None:
        """Start the supervisor, so that the first job need not wait for it.

        Raises
        ------
        SystemCallError
            No process can be started.
        """
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        mine.setblocking(False)
        with theirs:
            theirs.set_inheritable(True)
            command = [sys.executable, "-m", _MODULE, str(theirs.fileno())]
            try:
                # Not `subprocess`: its fork would run gRPC's handlers of forks.
                self.pid = os.posix_spawn(
                    sys.executable,
                    command,
                    supervisors_environment(os.environ),
                    file_actions=[
                        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                    ],
                    setsid=True,
                )
            except OSError as error:
                mine.close()
                raise SystemCallError(
                    f"the supervisor of the runners cannot be started: {error.strerror}",
                    errno=error.errno or 0,
                ) from error
        self._connection = mine
        asyncio.get_running_loop().add_reader(mine, self._receive)

    async def start(
        self, job_id: str, connection: socket.socket, program: Literal["job", "service"] = "job"
    ) -> asyncio.Future[int]:
        """Start the runner of a job, or a service.

        Parameters
        ----------
        job_id
            Its job, or what the service is to be called.
        connection
            What the runner inherits; still to be closed here.
        program
            Which of them it is.

        Returns
        -------
        asyncio.Future
            Gets the runner's exit status, once nothing is left of it and of its operators.

        Raises
        ------
        SystemCallError
            No process can be started.
        """
        try:
            return await self._order_start(job_id, connection, program)
        except ConnectionError:  # The supervisor has died, and nobody has noticed yet.
            self._lose()
        except OSError as error:
            raise _unreachable(error) from error
        try:
            return await self._order_start(job_id, connection, program)
        except OSError as error:
            raise _unreachable(error) from error

    async def _order_start(
        self, job_id: str, connection: socket.socket, program: str
    ) -> asyncio.Future[int]:
        if self._connection is None:
            self.open()
        order = {"kind": "start", "job": job_id, "program": program}
        await self._send(order, connection)
        ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._runners[job_id] = ended
        return ended

    async def kill(self, job_id: str) -> None:
        """Kill a runner that does not end by itself; its operators go with it."""
        with contextlib.suppress(OSError):
            await self._send({"kind": "kill", "job": job_id})

    def close(self) -> None:
        """Let the supervisor kill all runners, and wait until it has."""
        if self._connection is not None:
            asyncio.get_running_loop().remove_reader(self._connection)
            self._connection.close()
            self._connection = None
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, 0)
            self._give_up_runners()

    async def _send(
        self, order: Mapping[str, object], carried: socket.socket | None = None
    ) -> None:
        data = json.dumps(order).encode()
        descriptors = [] if carried is None else [carried.fileno()]
        async with self._sending:
            while self._connection is not None:
                try:
                    socket.send_fds(self._connection, [data], descriptors)
                    return
                except BlockingIOError:
                    await asyncio.sleep(0.01)
            raise BrokenPipeError(32, "it has ended")

    def _receive(self) -> None:
        if self._connection is None:
            return
        try:
            data = self._connection.recv(LARGEST_PACKET)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:
            self._lose()
            return
        message = json.loads(data)
        ended = self._runners.pop(message["job"], None)
        if ended is not None and not ended.done():
            ended.set_result(message["code"])

    def _lose(self) -> None:
        """Note that the supervisor was killed; its runners die with it, and their operators."""
        if self._connection is None:
            return
        asyncio.get_running_loop().remove_reader(self._connection)
        self._connection.close()
        self._connection = None
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        _LOG.error("the supervisor %d has died; the next job gets another", self.pid)
        self._give_up_runners()

    def _give_up_runners(self) -> None:
        for ended in self._runners.values():
            if not ended.done():
                ended.set_result(LOST)
        self._runners.clear()


def _unreachable(error: OSError) -> SystemCallError:
    return SystemCallError(
        f"the supervisor of the runners cannot be reached: {error.strerror}",
        errno=error.errno or 0,
    )


def public_environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """Give what programs of pipelines may inherit of the server's environment."""
    return {name: value for name, value in inherited.items() if not _SECRET.search(name)}


def supervisors_environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """Give what the supervisor gets: what operators may inherit, and that it has one thread."""
    found = public_environment(inherited)
    found[RESTORED] = json.dumps({name: found.get(name) for name in _THREADS})
    return found | dict.fromkeys(_THREADS, "1")
