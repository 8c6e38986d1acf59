# SPDX-License-Identifier: Apache-2.0
"""Listening sockets in a folder that is mounted into a container."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_CREDENTIALS = struct.Struct("3i")
_BACKLOG = 16


class Door:
    """A listening socket that lets only processes of this user in.

    Parameters
    ----------
    path
        Of the socket, in a folder that exists; it may be longer than the path of a socket.
    kind
        ``SOCK_STREAM`` or ``SOCK_SEQPACKET``.
    """

    def __init__(self, path: Path, kind: socket.SocketKind) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listener = socket.socket(socket.AF_UNIX, kind | socket.SOCK_NONBLOCK)
        try:
            folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                self._listener.bind(f"/proc/self/fd/{folder}/{path.name}")
            finally:
                os.close(folder)
            self._listener.listen(_BACKLOG)
        except BaseException:
            self._listener.close()
            raise

    def watch(self, on_knock: Callable[[], None]) -> None:
        """Have a function called on the running loop while somebody waits to be let in."""
        if self._listener.fileno() >= 0:
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._listener, on_knock)

    def accept(self) -> socket.socket | None:
        """Let the next process of this user in; ``None`` when nobody waits."""
        while self._listener.fileno() >= 0:
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, ConnectionError):
                return None
            if _user_of(connection) == os.geteuid():
                return connection
            connection.close()
        return None

    def close(self) -> None:
        """Let nobody in any more; twice is fine."""
        if self._loop is not None:
            self._loop.remove_reader(self._listener)
            self._loop = None
        self._listener.close()


def _user_of(connection: socket.socket) -> int:
    """Ask the kernel, in this process's own numbers, who has connected."""
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    user: int = _CREDENTIALS.unpack(found)[1]
    return user
