# SPDX-License-Identifier: Apache-2.0
"""The process that becomes a service: it gets one JSON line, and executes what that says.

The service ends with the supervisor, as a runner does: a process keeps its parent's death signal
when it executes a program. It also stays the adoptive parent of what its children leave behind.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
from typing import TYPE_CHECKING

from clara_fastio.runner.runtimes.launcher import PR_SET_CHILD_SUBREAPER

if TYPE_CHECKING:
    import socket


def main(connection: socket.socket) -> int:
    """Execute the program that the server names.

    Parameters
    ----------
    connection
        To the server; owned from here on. The program does not get it.

    Returns
    -------
    int
        127 if the program cannot be executed; else this does not return.
    """
    with connection.makefile("rb") as lines:
        line = lines.readline()
    if not line.endswith(b"\n"):
        return 127
    plan = json.loads(line)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    log = os.open(plan["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    try:
        os.chdir(plan["directory"])
        os.execvpe(plan["command"][0], plan["command"], plan["environment"])
    except OSError as error:
        text = f"{plan['command'][0]!r} cannot be started: {error.strerror}\n"
        os.write(2, text.encode(errors="replace"))
    return 127
