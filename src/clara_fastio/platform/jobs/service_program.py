# SPDX-License-Identifier: Apache-2.0
"""The process that keeps a service: it gets one JSON line, and runs and logs what that says.

The service is a child of this process and ends with it, as this one ends with the supervisor. It is
the adoptive parent of what its children leave behind.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from clara_fastio.runner.runtimes.launcher import PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG
from clara_fastio.runner.runtimes.log_file import LogFile

if TYPE_CHECKING:
    import socket

_NOT_STARTED = 127
_CHUNK = 64 << 10
#: Together more than a pipe holds: what came after the service's end need not be read.
_MOST_CHUNKS = 32

_libc = ctypes.CDLL(None)


def main(connection: socket.socket) -> int:
    """Run the program that the server names, to its end.

    Parameters
    ----------
    connection
        To the server; owned from here on. The program does not get it.

    Returns
    -------
    int
        The program's status, as a shell gives it; 127 if it cannot be executed.
    """
    with connection.makefile("rb") as lines:
        line = lines.readline()
    if not line.endswith(b"\n"):
        return _NOT_STARTED
    plan = json.loads(line)
    output, its_end = os.pipe2(os.O_CLOEXEC)
    keeper = os.getpid()
    service = os.fork()
    if service == 0:
        _become_service(plan, keeper, its_end)
    os.close(its_end)
    with LogFile(Path(plan["log"]), plan["log_limit"]) as log:
        _write_until_end(log, output, service)
    code = os.waitstatus_to_exitcode(os.waitpid(service, 0)[1])
    return code if code >= 0 else 128 - code


def _become_service(plan: dict[str, Any], keeper: int, output: int) -> NoReturn:
    try:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        for descriptor in (1, 2):
            os.dup2(output, descriptor)
        if os.getppid() == keeper:
            os.chdir(plan["directory"])
            os.execvpe(plan["command"][0], plan["command"], plan["environment"])
    except OSError as error:
        text = f"{plan['command'][0]!r} cannot be started: {error.strerror}\n"
        os.write(2, text.encode(errors="replace"))
    finally:
        os._exit(_NOT_STARTED)


def _write_until_end(log: LogFile, output: int, service: int) -> None:
    """Copy what the service writes; after its end only what it has written until then."""
    end = os.pidfd_open(service)
    os.set_blocking(output, False)
    poller = select.poll()
    poller.register(output, select.POLLIN)
    poller.register(end, select.POLLIN)
    has_ended = False
    while not has_ended:
        # Looked at before the output is read, which is then all there is.
        has_ended = any(descriptor == end for descriptor, _ in poller.poll())
        if not _copy(log, output):
            poller.unregister(output)
            output = -1


def _copy(log: LogFile, output: int) -> bool:
    """Copy what is there; whether more can come."""
    if output < 0:
        return True
    for _ in range(_MOST_CHUNKS):
        try:
            data = os.read(output, _CHUNK)
        except BlockingIOError:
            return True
        if not data:
            return False
        log.write(data)
    return True
