# SPDX-License-Identifier: Apache-2.0
"""`tritonclient.utils.shared_memory`: regions of shared memory, and pipes for the signals."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import secrets
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from tritonclient.utils import shared_memory

from bench.frames.ring import RingReceiver, RingSender, offsets, stride

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

    from bench.frames.plan import Plan

PACKAGES = ("tritonclient",)
IS_PINNED = True


class End(NamedTuple):
    """What one end of an edge has; the pipes are those it reads from and writes to."""

    key: str
    nbytes: int
    depth: int
    read: Connection
    write: Connection

    def view(self) -> Callable[[int], np.ndarray]:
        """Give what makes the array of a slot: the module's own function, each time."""
        size = stride(self.nbytes) * self.depth
        region = shared_memory.create_shared_memory_region("frames", self.key, size)
        places = offsets(self.nbytes, self.depth)
        get, shape = shared_memory.get_contents_as_numpy, [self.nbytes]
        return lambda slot: get(region, np.uint8, shape, places[slot])


@contextlib.contextmanager
def edge(nbytes: int, plan: Plan) -> Iterator[tuple[End, End]]:
    """Make a region, and a pipe for each direction."""
    key = f"bench-{secrets.token_hex(8)}"
    size = stride(nbytes) * plan.depth
    region = shared_memory.create_shared_memory_region("frames", key, size, create_only=True)
    pipe = multiprocessing.get_context("spawn").Pipe
    free, filled = pipe(duplex=False), pipe(duplex=False)
    os.write(free[1].fileno(), b"f" * plan.depth)
    yield (
        End(key, nbytes, plan.depth, free[0], filled[1]),
        End(key, nbytes, plan.depth, filled[0], free[1]),
    )
    shared_memory.destroy_shared_memory_region(region)


def sender(end: End, _plan: Plan) -> RingSender:
    """Open the region to write to it."""
    read, write = end.read.fileno(), end.write.fileno()
    return RingSender(
        end.view(),
        end.depth,
        lambda: os.read(read, 1),
        lambda is_frame: os.write(write, b"f" if is_frame else b"e"),
    )


def receiver(end: End, _plan: Plan) -> RingReceiver:
    """Open the region to read from it."""
    read, write = end.read.fileno(), end.write.fileno()
    return RingReceiver(
        end.view(), end.depth, lambda: os.read(read, 1) == b"f", lambda: os.write(write, b"f")
    )
