# SPDX-License-Identifier: Apache-2.0
"""JSON lines over a socketpair: the driver's control channel and the launcher's link."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from typing import TYPE_CHECKING, Any

from clara_fastio.errors import LayoutError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_LONGEST_LINE = 1 << 20


class Channel:
    """This process's end of a connected pair; the other goes to a child.

    Parameters
    ----------
    connection
        Owned from here on.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    @classmethod
    def pair(cls) -> tuple[Channel, socket.socket]:
        """Make a channel and the end to be inherited; close that one after the child has it."""
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        return cls(mine), theirs

    async def open(self, longest_line: int = _LONGEST_LINE) -> None:
        """Attach it to the running loop; before that it can only be closed."""
        self._reader, self._writer = await asyncio.open_unix_connection(
            sock=self._connection, limit=longest_line
        )

    async def messages(self) -> AsyncIterator[dict[str, Any]]:
        """Give each message until the other end is closed everywhere.

        Raises
        ------
        LayoutError
            The peer sent something else than one object with a ``kind`` per line.
        """
        while self._reader is not None:
            try:
                line = await self._reader.readline()
            except ConnectionError:  # A reset is an end as well.
                return
            except ValueError as error:
                raise LayoutError("a control message is longer than is allowed") from error
            if not line.endswith(b"\n"):
                return
            yield _parse(line)

    def send(self, data: bytes) -> None:
        """Send bytes; a peer that is gone is noticed by :meth:`messages`."""
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(data)

    def send_message(self, kind: str, **fields: Any) -> None:
        """Send one JSON line."""
        self.send(json.dumps({"kind": kind, **fields}).encode() + b"\n")

    async def finish(self) -> None:
        """Give up this end after the system has taken all that was sent."""
        self.close()
        if self._writer is not None:
            with contextlib.suppress(ConnectionError):  # The peer is gone.
                await self._writer.wait_closed()

    def close(self) -> None:
        """Give up this end; twice is fine."""
        if self._writer is not None:
            self._writer.close()
        else:
            self._connection.close()


def _parse(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise LayoutError(f"a control message is not JSON: {line[:80]!r}") from error
    if not isinstance(message, dict) or not isinstance(message.get("kind"), str):
        raise LayoutError(f"a control message has no kind: {line[:80]!r}")
    return message
