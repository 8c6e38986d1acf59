# SPDX-License-Identifier: Apache-2.0
"""What the supervisor does with processes that a program of its has left behind."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from typing import TYPE_CHECKING

from clara_fastio.platform.jobs.supervision import Supervision
from tests.platform.jobs.runs import is_alive, kill

if TYPE_CHECKING:
    from pathlib import Path

#: Goes on as a program with the given words, reading what to do from its standard input.
BEHIND = """
import os, sys
if os.fork() == 0:
    os.setsid()
    ours, theirs = os.pipe()
    os.write(theirs, b"import time; time.sleep(61)")
    os.close(theirs)
    os.dup2(ours, 0)
    with open("pid", "w") as file:
        file.write(str(os.getpid()))
    os.execv(sys.executable, sys.argv[1:])
os._exit(0)
"""


async def leave_behind(folder: Path, *words: str) -> int:
    """Run a program that leaves a process behind; gives its number when the first has ended."""
    supervision = Supervision()
    supervision.open()
    try:
        mine, theirs = socket.socketpair()
        with mine, theirs:
            ended = await supervision.start("program", theirs, "service")
            plan = {
                "command": [sys.executable, "-c", BEHIND, *words],
                "environment": dict(os.environ),
                "directory": str(folder),
                "log": str(folder / "log"),
                "log_limit": None,
            }
            mine.sendall(json.dumps(plan).encode() + b"\n")
        assert await asyncio.wait_for(ended, 20) == 0, (folder / "log").read_text()
    finally:
        supervision.close()
    return int((folder / "pid").read_text())


def test_others_are_killed(tmp_path: Path) -> None:
    assert not is_alive(asyncio.run(leave_behind(tmp_path, "catatonit", "-B")))


def test_what_all_of_podman_shares_is_spared(tmp_path: Path) -> None:
    left = asyncio.run(leave_behind(tmp_path, "catatonit", "-P"))
    try:
        assert is_alive(left)
    finally:
        kill(left)
