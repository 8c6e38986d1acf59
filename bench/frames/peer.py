# SPDX-License-Identifier: Apache-2.0
"""What a module in `bench.frames.peers` offers, and how one is found.

A module names, beside the functions of `Peer`, the distributions it needs as ``PACKAGES``, and as
``IS_PINNED`` whether each of its processes stays on one processor, which suits those without
threads or daemons of their own. A module whose ends are awaited has stages of its own as well:
``make``, ``wait_for_order``, ``repeat``, ``end`` and ``close``, as in `bench.frames.stages`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import numpy as np

    from bench.frames.chain import Chain
    from bench.frames.plan import Plan


class Sender(Protocol):
    """The producer's end of an edge."""

    def next(self) -> np.ndarray:
        """Give the bytes of the frame to be filled; wait while too many are in flight."""

    def send(self) -> None:
        """Hand on the frame that `next` gave."""

    def finish(self) -> None:
        """Say that no more frames will come."""


class Receiver(Protocol):
    """The consumer's end of an edge."""

    def receive(self) -> np.ndarray | None:
        """Wait for the next frame and give its bytes; None after the last one."""

    def release(self) -> None:
        """Give back the frame that `receive` gave."""


class Peer(Protocol):
    """A way to join processes.

    A module that cannot offer ends to processes which somebody else started has a ``chain`` of its
    own in place of the other three.
    """

    PACKAGES: tuple[str, ...]
    IS_PINNED: bool

    def edge(self, nbytes: int, plan: Plan) -> AbstractContextManager[tuple[Any, Any]]:
        """Make what the sender and the receiver of an edge get, by way of pickle."""

    def sender(self, end: Any, plan: Plan) -> Sender:
        """Open the producer's end in its process."""

    def receiver(self, end: Any, plan: Plan) -> Receiver:
        """Open the consumer's end in its process."""

    def chain(self, plan: Plan) -> AbstractContextManager[Chain]:
        """Start the processes in the peer's own way."""


def load(name: str) -> Any:
    """Import the module of a peer."""
    return importlib.import_module(f"bench.frames.peers.{name}")
