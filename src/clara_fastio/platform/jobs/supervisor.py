# SPDX-License-Identifier: Apache-2.0
"""The parent of all runners: ``python -m clara_fastio.platform.jobs.supervisor FD``.

It stands between the server and the runners, because a process that serves gRPC must not fork, and
so that no runner outlives its server:

1. Descriptor FD is its end of a connection to the server, of packets; each is a JSON object. The
   end of file there means that the server is gone: every runner is killed, and this process ends.
2. ``start`` names a job and carries a descriptor: the runner's own connection to the server. The
   runner is a fork of this process, which has one thread and has imported what runners need. A
   service, which several jobs share, is started in the same way, under a name of its own.
3. ``kill`` names a job whose runner is to be killed.
4. ``ended`` is the one answer: the runner has ended, and with it everything that it had started.

A runner dies with this process by ``PR_SET_PDEATHSIG``, set by the one thread there is. What a
killed runner leaves behind is adopted here: its launchers kill their operators and end by
themselves; what is still there after a while is killed, but for the one process that all commands
of a user's rootless podman share.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
from typing import Any, NoReturn

from clara_fastio.platform.jobs import job_program, service_program
from clara_fastio.runner.runtimes.keeper import is_shared
from clara_fastio.runner.runtimes.launcher import (
    PR_SET_CHILD_SUBREAPER,
    PR_SET_PDEATHSIG,
    children_of,
)

LARGEST_PACKET = 1 << 10
#: The status of a runner that could not be started.
NOT_STARTED = -1001
#: Names variables, with their values in JSON, that this process alone has other ones of.
RESTORED = "CLARA_SUPERVISOR_RESTORES"

_PR_SET_NAME = 15
#: Whoever stops the server's whole group of processes means the server, which then stops its jobs.
#: They are handled and not ignored, because programs would inherit that they are ignored.
_FOR_THE_SERVER = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
#: Seconds that what a killed runner has left behind gets to end by itself.
_SWEEPING = 0.5
_LOOK_EVERY_MS = 10

#: What a runner can be: the end of a program's function is the end of its process.
PROGRAMS = {"job": job_program.main, "service": service_program.main}

_libc = ctypes.CDLL(None, use_errno=True)


class Supervisor:
    """Starts runners, and outlives all that they start.

    Parameters
    ----------
    server
        The connection to the server.
    """

    def __init__(self, server: socket.socket) -> None:
        self._server = server
        self._runners: dict[int, str] = {}
        #: Jobs whose runners have ended, each with the runner's status.
        self._ended: dict[str, int] = {}
        self._deadline = 0.0

    def run(self) -> NoReturn:
        """Serve until the server is gone."""
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        _libc.prctl(_PR_SET_NAME, b"clara-superviso", 0, 0, 0)
        wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._wake_read = wake_read
        for number in (signal.SIGCHLD, *_FOR_THE_SERVER):
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        gc.collect()
        gc.freeze()  # Else the first collection in each runner would copy all that is shared.
        poller = select.poll()
        poller.register(self._server, select.POLLIN)
        poller.register(wake_read, select.POLLIN)
        while True:
            for descriptor, _ in poller.poll(_LOOK_EVERY_MS if self._ended else None):
                if descriptor == wake_read:
                    os.read(wake_read, 4096)
                    self._reap()
                else:
                    self._obey()
            if self._ended and self._is_clean():
                self._report()

    def _obey(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._server, LARGEST_PACKET, 1)
        except ConnectionError:
            data, descriptors = b"", []
        if not data:
            self._end()
        order: dict[str, Any] = json.loads(data)
        if order["kind"] == "start":
            self._start(order["job"], order["program"], descriptors[0])
            os.close(descriptors[0])
        else:
            for pid, job in self._runners.items():
                if job == order["job"]:
                    os.kill(pid, signal.SIGKILL)

    def _start(self, job: str, program: str, connection: int) -> None:
        parent = os.getpid()
        # A signal that arrives in between would run in the child what is meant for the parent.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        try:
            pid = os.fork()
            if pid == 0:
                self._become_runner(parent, program, connection)
            self._runners[pid] = job
        except OSError:  # Too many processes, or too little memory.
            self._ended[job] = NOT_STARTED
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})

    def _become_runner(self, parent: int, program: str, connection: int) -> NoReturn:
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
            for descriptor in (self._wake_read, self._wake_write):
                os.close(descriptor)
            self._server.close()
            os.setsid()
            _libc.prctl(_PR_SET_NAME, b"clara-runner", 0, 0, 0)
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() == parent:
                status = PROGRAMS[program](socket.socket(fileno=connection))
        except Exception:  # noqa: BLE001 - it must not get out of here, into a second supervisor
            traceback.print_exc()
        finally:
            os._exit(status)

    def _reap(self) -> None:
        """Take the status of all children that have ended; only the runners' is of interest."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if job := self._runners.pop(pid, None):
                    self._ended[job] = os.waitstatus_to_exitcode(status)
                    self._deadline = time.monotonic() + _SWEEPING

    def _is_clean(self) -> bool:
        """Whether nothing is left of runners that have ended; what stays too long is killed."""
        left = [
            pid
            for pid in children_of(os.getpid())
            if pid not in self._runners and not is_shared(pid)
        ]
        if left and time.monotonic() > self._deadline:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._reap()
        return not left

    def _report(self) -> None:
        for job, code in self._ended.items():
            message = {"kind": "ended", "job": job, "code": code}
            with contextlib.suppress(OSError):  # The server is gone; the end of file follows.
                self._server.send(json.dumps(message).encode())
        self._ended.clear()

    def _end(self) -> NoReturn:
        """Kill everything."""
        for pid in self._runners:
            os.kill(pid, signal.SIGKILL)
        self._deadline = time.monotonic() + _SWEEPING
        while self._runners or not self._is_clean():
            self._reap()
            time.sleep(_LOOK_EVERY_MS / 1000)
        os._exit(0)


def main() -> None:
    """Run as a program."""
    for name, value in json.loads(os.environ.pop(RESTORED, "{}")).items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    Supervisor(socket.socket(fileno=int(sys.argv[1]))).run()


if __name__ == "__main__":
    main()
