# SPDX-License-Identifier: Apache-2.0
"""ezmsg: publishers and subscribers of asyncio, joined by a graph server in the supervisor.

A frame is pickled into a slot of shared memory; a subscriber reads it there. The stages do what
those of `bench.frames.stages` do, but wait with ``await``, as its users do.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import secrets
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from ezmsg.core.graphserver import GraphServer
from ezmsg.core.pubclient import Publisher
from ezmsg.core.subclient import Subscriber

from bench.frames.chain import spawned
from bench.frames.plan import PATIENCE
from bench.frames.work import FrameWork

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from multiprocessing.connection import Connection

    from bench.frames.chain import Chain
    from bench.frames.plan import Plan

PACKAGES = ("ezmsg",)
IS_PINNED = False

#: The pickle around a frame.
_ENVELOPE = 4096

_HOST = "127.0.0.1"

_T = TypeVar("_T")


@contextlib.contextmanager
def chain(plan: Plan) -> Iterator[Chain]:
    """Start the graph server, which tells subscribers of publishers, and the processes."""
    logging.getLogger("ezmsg").setLevel(logging.ERROR)
    os.environ["EZMSG_LOGLEVEL"] = "ERROR"
    server = GraphServer()
    server.start()
    # Spawned processes find it by this.
    os.environ["EZMSG_GRAPHSERVER_ADDR"] = str(server.address)
    try:
        with spawned(plan, daemons=(os.getpid(),)) as made:
            yield made
    finally:
        server.stop()


@contextlib.contextmanager
def edge(nbytes: int, _plan: Plan) -> Iterator[tuple[tuple[str, int], tuple[str, int]]]:
    """Choose the topic of an edge."""
    end = secrets.token_hex(8), nbytes
    yield end, end


def sender(end: tuple[str, int], plan: Plan) -> Publisher:
    """Make the publisher of an edge."""
    topic, nbytes = end
    return run(
        Publisher.create(topic, buf_size=nbytes + _ENVELOPE, num_buffers=plan.depth, host=_HOST)
    )


def receiver(end: tuple[str, int], _plan: Plan) -> Subscriber:
    """Make the subscriber of an edge."""
    return run(Subscriber.create(end[0], None))


def make(role: str, subscriber: Subscriber | None, publisher: Publisher | None, nbytes: int) -> Any:
    """Make the stage of a role."""
    match role:
        case "ping":
            return Ping(subscriber, publisher, nbytes)
        case "pong":
            return Pong(subscriber, publisher, nbytes)
        case "produce":
            return Produce(publisher, nbytes)
        case "filter":
            return Filter(subscriber, publisher, nbytes)
        case "reduce":
            return Reduce(subscriber, nbytes)
    raise ValueError(f"there is no role {role}")


def wait_for_order(orders: Connection) -> Any:
    """Wait until there is something to do, and let publishers and subscribers find each other."""

    async def readable() -> None:
        event = asyncio.Event()
        _loop().add_reader(orders.fileno(), event.set)
        await event.wait()
        _loop().remove_reader(orders.fileno())

    run(readable())
    return orders.recv()


def repeat(step: Callable[[], Coroutine[Any, Any, None]], steps: int) -> None:
    """Do a step so many times."""

    async def steps_in_turn() -> None:
        for _ in range(steps):
            await step()

    run(steps_in_turn())


def end(role: str, subscriber: Subscriber | None, publisher: Publisher | None) -> None:
    """See the end of one stream and make that of the other; ping speaks first."""
    run(asyncio.wait_for(_end(role, subscriber, publisher), PATIENCE))


def close() -> None:
    """Let the loop end without complaints."""
    run(_cancel_all())
    _loop().close()


def run(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Run it in the loop of this process."""
    return _loop().run_until_complete(coroutine)


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


class Side:
    """One side of a hand-over."""

    def __init__(self, subscriber: Subscriber, publisher: Publisher, nbytes: int) -> None:
        self._subscriber = subscriber
        self._publisher = publisher
        self._frame = np.ones(nbytes, np.uint8)
        self._sent = 0
        self._received = 0

    async def send(self) -> None:
        """Write a new content."""
        self._sent += 1
        self._frame[0] = self._frame[-1] = self._sent % 256
        await self._publisher.broadcast(self._frame)

    async def receive(self) -> None:
        """Wait for the other side's next content, and look at it."""
        self._received += 1
        async with self._subscriber.recv_zero_copy() as frame:
            if frame[0] != self._received % 256 or frame[-1] != self._received % 256:
                raise RuntimeError("the wrong content arrived")


class Ping(Side):
    """Begins each round trip."""

    async def step(self) -> None:
        """Do one round trip."""
        await self.send()
        await self.receive()

    touch = step


class Pong(Side):
    """Answers each round trip."""

    async def step(self) -> None:
        """Do one round trip."""
        await self.receive()
        await self.send()

    touch = step


class Produce:
    """The first operator of a pipeline."""

    def __init__(self, publisher: Publisher, nbytes: int) -> None:
        self._publisher = publisher
        self._work = FrameWork(nbytes)
        self._frame = np.empty(nbytes, np.uint8)
        self._number = 0

    async def step(self) -> None:
        """Send a frame."""
        self._work.produce(self._frame, self._number)
        await self._publisher.broadcast(self._frame)
        self._number += 1

    touch = step


class Filter:
    """The operator in the middle."""

    def __init__(self, subscriber: Subscriber, publisher: Publisher, nbytes: int) -> None:
        self._subscriber = subscriber
        self._publisher = publisher
        self._work = FrameWork(nbytes)
        self._frame = np.empty(nbytes, np.uint8)

    async def step(self) -> None:
        """Send a frame for the one that came."""
        async with self._subscriber.recv_zero_copy() as frame:
            self._work.filter(self._frame, frame)
        await self._publisher.broadcast(self._frame)

    touch = step


class Reduce:
    """The last operator."""

    def __init__(self, subscriber: Subscriber, nbytes: int) -> None:
        self._subscriber = subscriber
        self._work = FrameWork(nbytes)
        self._number = 0

    async def step(self) -> None:
        """Look at a frame."""
        async with self._subscriber.recv_zero_copy() as frame:
            self._work.reduce(frame, self._number)
        self._number += 1

    touch = step


async def _end(role: str, subscriber: Subscriber | None, publisher: Publisher | None) -> None:
    if role == "ping":
        await publisher.broadcast(None)
    if subscriber is not None:
        async with subscriber.recv_zero_copy() as frame:
            if frame is not None:
                raise RuntimeError("a frame came after the last one")
    if publisher is not None and role != "ping":
        await publisher.broadcast(None)
    if publisher is not None:
        await publisher.sync()


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=PATIENCE)
