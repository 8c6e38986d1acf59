# SPDX-License-Identifier: Apache-2.0
"""A control channel whose driver is yet to connect."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from clara_fastio.errors import LayoutError
from clara_fastio.runner.channel import Channel

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator

    from clara_fastio.runner.runtimes.door import Door


class AwaitedChannel(Channel):
    """A channel to the first process that connects, which has to greet.

    What is sent before is kept for it.

    Parameters
    ----------
    door
        Owned from here on; closed behind who comes first.
    """

    def __init__(self, door: Door) -> None:
        self._door = door
        self._knock = asyncio.Event()
        self._unsent = b""
        self._is_connected = False
        self._expects_nobody = False

    async def open(self, longest_line: int = 1 << 20) -> None:
        """Do nothing yet: :meth:`messages` waits for the driver."""
        self._longest_line = longest_line

    async def messages(self) -> AsyncIterator[dict[str, Any]]:
        """Wait for the driver and give its messages.

        Raises
        ------
        LayoutError
            It does not greet, or sends something else than messages.
        """
        connection = await self._wait()
        if connection is None:
            return
        super().__init__(connection)
        await super().open(self._longest_line)
        self._is_connected = True
        super().send(self._unsent)
        has_greeted = False
        async for message in super().messages():
            if not has_greeted and message["kind"] != "hello":
                raise LayoutError(
                    f"the control channel began with {message['kind']!r} in place of a greeting"
                )
            has_greeted = True
            yield message

    def send(self, data: bytes) -> None:
        """Send bytes, or keep them until the driver is there."""
        if self._is_connected:
            super().send(data)
        else:
            self._unsent += data

    async def finish(self) -> None:
        """Give up everything after the system has taken what could be sent."""
        self.close()
        if self._is_connected:
            await super().finish()

    def expect_nobody(self) -> None:
        """Take who is at the door by now, and nobody after that."""
        self._expects_nobody = True
        self._knock.set()

    def close(self) -> None:
        """Give up everything; twice is fine."""
        self._door.close()
        if self._is_connected:
            super().close()

    async def _wait(self) -> socket.socket | None:
        self._door.watch(self._knock.set)
        try:
            while True:
                await self._knock.wait()
                self._knock.clear()
                if (connection := self._door.accept()) or self._expects_nobody:
                    return connection
        finally:
            self._door.close()
