# SPDX-License-Identifier: Apache-2.0
"""zenoh: messages in its shared memory, over a session that listens on a socket of this machine.

Its Python has no array on a message of shared memory: a frame is copied in on one side and out on
the other. The pool has room for as many frames as may be in flight, and so bounds them.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import zenoh
from zenoh import shm

from bench.frames.plan import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.frames.plan import Plan

PACKAGES = ("eclipse-zenoh",)
IS_PINNED = False


class End(NamedTuple):
    """What both ends of an edge know."""

    address: str
    key: str
    nbytes: int


class FramePublisher:
    """Copies frames into the pool and puts them."""

    def __init__(self, end: End, depth: int) -> None:
        self._session = _session(listen=end.address)
        self._publisher = self._session.declare_publisher(
            end.key, congestion_control=zenoh.CongestionControl.BLOCK, express=True
        )
        # A frame in flight is one in the pool; the pool's own bookkeeping needs a little.
        self._pool = shm.ShmProvider.default_backend(depth * (end.nbytes + 4096))
        self._policy = shm.BlockOn(shm.GarbageCollect())
        self._frame = np.empty(end.nbytes, np.uint8)
        self._is_matched = False

    def next(self) -> np.ndarray:
        """Give memory of this process; the message is made from it."""
        if not self._is_matched:
            self._wait_for_subscriber()
        return self._frame

    def send(self) -> None:
        """Copy the frame into the pool and put it."""
        message = self._pool.alloc(len(self._frame), self._policy)
        message[0 : len(self._frame)] = self._frame.tobytes()
        self._publisher.put(message)

    def finish(self) -> None:
        """Put what is too short to be a frame."""
        self._publisher.put(b"")

    def _wait_for_subscriber(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self._publisher.matching_status.matching:
            if time.monotonic() > deadline:
                raise TimeoutError(f"no subscriber came within {PATIENCE:g} s")
            time.sleep(0.01)
        self._is_matched = True


class FrameSubscriber:
    """Takes frames from a channel."""

    def __init__(self, end: End, depth: int) -> None:
        self._session = _session(connect=end.address)
        self._subscriber = self._session.declare_subscriber(
            end.key, zenoh.handlers.FifoChannel(depth)
        )

    def receive(self) -> np.ndarray | None:
        """Take one and copy it out."""
        payload = self._subscriber.recv().payload
        return np.frombuffer(payload.to_bytes(), np.uint8) if len(payload) else None

    def release(self) -> None:
        """Do nothing: the message has been given back with its payload."""


@contextlib.contextmanager
def edge(nbytes: int, _plan: Plan) -> Iterator[tuple[End, End]]:
    """Choose the key and the address of an edge."""
    with tempfile.TemporaryDirectory() as folder:
        address = f"unixsock-stream/{Path(folder, 'zenoh')}"
        end = End(address, f"bench/{secrets.token_hex(8)}", nbytes)
        yield end, end


def sender(end: End, plan: Plan) -> FramePublisher:
    """Open a session to publish."""
    return FramePublisher(end, plan.depth)


def receiver(end: End, plan: Plan) -> FrameSubscriber:
    """Open a session to subscribe."""
    return FrameSubscriber(end, plan.depth)


def _session(**endpoints: str) -> zenoh.Session:
    config = zenoh.Config()
    settings = {
        "mode": "peer",
        "scouting/multicast/enabled": False,
        "transport/shared_memory/enabled": True,
        "listen/endpoints": [endpoints["listen"]] if "listen" in endpoints else [],
        "connect/endpoints": [endpoints["connect"]] if "connect" in endpoints else [],
    }
    for name, value in settings.items():
        config.insert_json5(name, json.dumps(value))
    return zenoh.open(config)
