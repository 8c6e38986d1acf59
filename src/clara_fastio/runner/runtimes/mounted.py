# SPDX-License-Identifier: Apache-2.0
"""How an operator in a container reaches the runner: sockets in a folder that it sees."""

from __future__ import annotations

import shutil
import socket
from typing import TYPE_CHECKING

from clara_fastio.runner.runtimes.awaited_channel import AwaitedChannel
from clara_fastio.runner.runtimes.door import Door
from clara_fastio.runner.runtimes.runtime import Connections

if TYPE_CHECKING:
    from pathlib import Path

    from clara_fastio.runner.memory import JobMemory

#: Where the folder is in the container.
INSIDE = "/run/clara-fastio"


class MountedConnections(Connections):
    """Two sockets in a folder of one operator's own.

    Only its container sees the folder, so who comes through a door is the operator. The memory's
    door stays open, for every program of the container may open the context.

    Parameters
    ----------
    memory
        The job's.
    operator
        Whose.
    folder
        Made here, with nothing in it but the sockets.
    """

    def __init__(self, memory: JobMemory, operator: str, folder: Path) -> None:
        self.environment = {
            "CLARA_FASTIO_SOCKET": f"path:{INSIDE}/memory",
            "CLARA_FASTIO_CONTROL": f"path:{INSIDE}/control",
        }
        self._memory = memory
        self._operator = operator
        self._folder = folder
        folder.mkdir(mode=0o700)
        self._door = Door(folder / "memory", socket.SOCK_SEQPACKET)
        try:
            self.control = self._control = AwaitedChannel(
                Door(folder / "control", socket.SOCK_STREAM)
            )
        except BaseException:
            self._door.close()
            raise
        self._door.watch(self._let_in)

    def hand_over(self) -> None:
        """Do nothing: the operator comes by itself."""

    def process_ended(self) -> None:
        """Expect no driver any more."""
        self._control.expect_nobody()

    def close(self) -> None:
        """Close the doors and remove them."""
        self._door.close()
        self._control.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _let_in(self) -> None:
        while (connection := self._door.accept()) is not None:
            self._memory.adopt(connection, self._operator)
