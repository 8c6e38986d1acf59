# SPDX-License-Identifier: Apache-2.0
"""The driver's end of the control channel to the runner: one JSON object per line."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import struct
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

from clara_fastio.driver.settings import CONTROL_VARIABLE
from clara_fastio.errors import DriverError

if TYPE_CHECKING:
    from collections.abc import Callable

    from clara_fastio.driver.phase import Phase

_logger = logging.getLogger("clara_fastio")

PROTOCOL = 1
LONGEST_LINE = 1 << 20
# So that the longest line cannot be reached: JSON spends at most twelve bytes on a character.
_LONGEST_MESSAGE = 8_000
_LONGEST_TRACEBACK = 64_000
_CREDENTIALS = struct.Struct("3i")
#: Exit status of a process that outlived its runner and did not end within the grace time.
EXIT_ABANDONED = 75

_open_channels: weakref.WeakSet[ControlChannel] = weakref.WeakSet()


class ControlChannel:
    """Tells the runner how far the driver is, and hears when it may go on.

    A thread of its own reads, so that a stop arrives while a handler runs. When the runner is
    gone, this process is ended after the grace time, whatever it does.

    Thread safety: any thread may send; the functions given to :meth:`listen` run on the
    reading thread.

    Parameters
    ----------
    connection
        A connected stream socket; owned from here on.
    grace
        Seconds from the end of the runner to the end of this process.
    """

    def __init__(self, connection: socket.socket, grace: float) -> None:
        self._connection = connection
        # Programs that a handler starts must not keep the channel open after this process.
        self._connection.set_inheritable(False)
        self._grace = grace
        self._sending = threading.Lock()
        self._is_closing = False
        self._reader: threading.Thread | None = None
        _open_channels.add(self)

    @classmethod
    def claim(cls, place: str, grace: float) -> ControlChannel:
        """Take over the inherited descriptor, or connect; the environment forgets where.

        Parameters
        ----------
        place
            ``fd:N``, a descriptor, or ``path:FILE``, a socket of a process of this user.
        grace
            As for the class.

        Returns
        -------
        ControlChannel
            The channel, not yet listening.

        Raises
        ------
        DriverError
            There is no such socket, or another user listens there.
        """
        kind, _, where = place.partition(":")
        try:
            connection = socket.socket(fileno=int(where)) if kind == "fd" else _connect(where)
        except OSError as error:
            problem = (
                f"descriptor {where}, which is no socket"
                if kind == "fd"
                else f"the socket {where}, which cannot be connected to"
            )
            raise DriverError(f"{CONTROL_VARIABLE} names {problem}: {error}") from error
        # A program started by a handler would find the number without the descriptor, and the
        # socket without anybody who listens.
        os.environ.pop(CONTROL_VARIABLE, None)
        return cls(connection, grace)

    def listen(self, on_ready: Callable[[], None], on_stop: Callable[[str], None]) -> None:
        """Greet the runner and start to read what it says.

        Parameters
        ----------
        on_ready
            Called when all inputs are complete.
        on_stop
            Called with the reason when the work is to be given up.
        """
        self._send(kind="hello", protocol=PROTOCOL, pid=os.getpid())
        self._reader = threading.Thread(
            target=self._read, args=(on_ready, on_stop), name="clara-fastio-control", daemon=True
        )
        self._reader.start()

    def send_phase(self, phase: Phase) -> None:
        """Say that the driver entered a phase.

        Parameters
        ----------
        phase
            The new phase.
        """
        self._send(kind="phase", phase=phase.value, time=time.monotonic_ns())

    def send_failed(self, phase: Phase, error: BaseException, traceback: str) -> None:
        """Report a failure; texts beyond the limit of a line are cut.

        Parameters
        ----------
        phase
            Where it happened.
        error
            What was raised.
        traceback
            Its frames as text; the end is what counts.
        """
        self._send(
            kind="failed",
            phase=phase.value,
            error=type(error).__name__,
            message=str(error)[:_LONGEST_MESSAGE],
            traceback=traceback[-_LONGEST_TRACEBACK:],
        )

    def close(self, *, succeeded: bool) -> None:
        """Say the last word and give up the descriptor.

        Parameters
        ----------
        succeeded
            How the life cycle ended.
        """
        # Before the last word: a runner that hears it may hang up first.
        self._is_closing = True
        self._send(kind="completed", succeeded=succeeded)
        with contextlib.suppress(OSError):  # The runner may be gone.
            self._connection.shutdown(socket.SHUT_RDWR)
        # The reader empties the socket first: closing it with unread bytes in it would turn
        # the end of file that the runner expects into a reset.
        if self._reader is not None:
            self._reader.join()
        self._connection.close()

    def close_in_child(self) -> None:
        """Drop a forked child's copy, which would hide the end of this process."""
        self._connection.close()

    def _send(self, **message: Any) -> None:
        line = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        try:
            with self._sending:
                self._connection.sendall(line)
        except OSError as error:  # The reader sees the end of file and acts on it.
            _logger.debug("the runner does not take %r: %s", message["kind"], error)

    def _read(self, on_ready: Callable[[], None], on_stop: Callable[[str], None]) -> None:
        rest = b""
        while data := self._receive():
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._obey(line, on_ready, on_stop)
            if len(rest) > LONGEST_LINE:
                on_stop("the control channel is broken: a line does not end")
                rest = b""
        if not self._is_closing:
            # First the deadline: what is called below may be a handler that hangs.
            deadline = threading.Timer(self._grace, _abandon)
            deadline.daemon = True
            deadline.start()
            on_stop("the runner is gone")

    def _receive(self) -> bytes:
        try:
            return self._connection.recv(1 << 16)
        except OSError:  # A reset is an end as well.
            return b""

    def _obey(
        self, line: bytes, on_ready: Callable[[], None], on_stop: Callable[[str], None]
    ) -> None:
        try:
            message = json.loads(line)
            kind = message["kind"]
        except (ValueError, TypeError, KeyError, RecursionError):
            on_stop(f"the control channel is broken: {line[:80]!r}")
            return
        if kind == "ready":
            on_ready()
        elif kind == "stop":
            on_stop(str(message.get("reason", "")))
        else:  # Minor versions of the protocol may add kinds.
            _logger.debug("the runner says %r, which this version does not know", kind)


def _connect(path: str) -> socket.socket:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(path)
        found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        user = _CREDENTIALS.unpack(found)[1]
        if user != os.geteuid():
            raise DriverError(
                f"the runner behind {path} belongs to user {user} and this process to user "
                f"{os.geteuid()}; a container must run as the user of the runner"
            )
        return socket.socket(fileno=connection.detach())


def _abandon() -> None:
    _logger.critical("the runner is gone and the grace time is over: this process ends")
    os._exit(EXIT_ABANDONED)


def _forget_channels() -> None:
    for channel in list(_open_channels):
        channel.close_in_child()


os.register_at_fork(after_in_child=_forget_channels)
