# SPDX-License-Identifier: Apache-2.0
"""What each process of a chain does with frames of one size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.frames.work import ClockedWork, FrameWork

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    from bench.frames.peer import Receiver, Sender


class Side:
    """One side of a hand-over: the first and the last byte stand for the content."""

    def __init__(self, receiver: Receiver, sender: Sender) -> None:
        self._receiver = receiver
        self._sender = sender
        self._sent = 0
        self._received = 0

    def send(self) -> None:
        """Write a new content."""
        self._sent += 1
        frame = self._sender.next()
        frame[0] = frame[-1] = self._sent % 256
        del frame  # Some peers refuse to send what an array looks at.
        self._sender.send()

    def receive(self) -> None:
        """Wait for the other side's next content, and look at it."""
        self._received += 1
        frame = self._receiver.receive()
        if frame[0] != self._received % 256 or frame[-1] != self._received % 256:
            raise RuntimeError("the wrong content arrived")
        del frame
        self._receiver.release()

    def touch(self) -> None:
        """Bring every page of a slot of both edges into this process."""
        frame = self._sender.next()
        frame[...] = 1
        del frame
        self._sender.send()
        frame = self._receiver.receive()
        if not frame.all():
            raise RuntimeError("a byte was not written")
        del frame
        self._receiver.release()


class Ping(Side):
    """Begins each round trip."""

    def step(self) -> None:
        """Do one round trip."""
        self.send()
        self.receive()


class Pong(Side):
    """Answers each round trip."""

    def step(self) -> None:
        """Do one round trip."""
        self.receive()
        self.send()


class Operator:
    """An operator of a pipeline."""

    def __init__(self, nbytes: int) -> None:
        self._work = FrameWork(nbytes)
        #: What its own code takes, as far as it was clocked.
        self.clocked = ClockedWork(self._work)

    def clock(self) -> None:
        """Do a step, and clock the operator's own code in it."""
        work, self._work = self._work, self.clocked
        try:
            self.step()
        finally:
            self._work = work


class Produce(Operator):
    """The first operator of a pipeline."""

    def __init__(self, sender: Sender, nbytes: int) -> None:
        super().__init__(nbytes)
        self._sender = sender
        self._number = 0

    def step(self) -> None:
        """Send a frame."""
        self._work.produce(self._sender.next(), self._number)
        self._sender.send()
        self._number += 1

    touch = step


class Filter(Operator):
    """The operator in the middle."""

    def __init__(self, receiver: Receiver, sender: Sender, nbytes: int) -> None:
        super().__init__(nbytes)
        self._receiver = receiver
        self._sender = sender

    def step(self) -> None:
        """Send a frame for the one that came."""
        self._work.filter(self._sender.next(), self._receiver.receive())
        self._sender.send()
        self._receiver.release()

    touch = step


class Reduce(Operator):
    """The last operator."""

    def __init__(self, receiver: Receiver, nbytes: int) -> None:
        super().__init__(nbytes)
        self._receiver = receiver
        self._number = 0

    def step(self) -> None:
        """Look at a frame."""
        self._work.reduce(self._receiver.receive(), self._number)
        self._receiver.release()
        self._number += 1

    touch = step


def make(
    role: str, receiver: Receiver | None, sender: Sender | None, nbytes: int
) -> Ping | Pong | Produce | Filter | Reduce:
    """Make the stage of a role."""
    match role:
        case "ping":
            return Ping(receiver, sender)
        case "pong":
            return Pong(receiver, sender)
        case "produce":
            return Produce(sender, nbytes)
        case "filter":
            return Filter(receiver, sender, nbytes)
        case "reduce":
            return Reduce(receiver, nbytes)
    raise ValueError(f"there is no role {role}")


def wait_for_order(orders: Connection) -> Any:
    """Wait until there is something to do."""
    return orders.recv()


def repeat(step: Callable[[], None], steps: int) -> None:
    """Do a step so many times."""
    for _ in range(steps):
        step()


def end(role: str, receiver: Receiver | None, sender: Sender | None) -> None:
    """See the end of one stream and make that of the other; ping speaks first."""
    if role == "ping":
        sender.finish()
    if receiver is not None and receiver.receive() is not None:
        raise RuntimeError("a frame came after the last one")
    if sender is not None and role != "ping":
        sender.finish()


def close() -> None:
    """Close what the stages of this process share: nothing."""
