# SPDX-License-Identifier: Apache-2.0
"""This library: streams of frames between variables of one context.

``spinning`` waits as streams do by default: it looks for the frame for a bounded time, and then
sleeps. ``blocking`` sleeps at once. A process that may use one processor only never spins; how many
it may use is looked up when a stream is opened, which therefore happens before it is pinned.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import time
from typing import TYPE_CHECKING, NamedTuple

import clara_fastio as fastio
from bench.frames.chain import spawned
from bench.frames.plan import PATIENCE
from clara_fastio.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from bench.frames.chain import Chain
    from bench.frames.plan import Plan

PACKAGES = ("clara-fastio",)
IS_PINNED = True

_SPIN = {"spinning": {}, "blocking": {"spin": 0.0}}

_numbers = itertools.count()


class End(NamedTuple):
    """What both ends of an edge know."""

    context: str
    variable: str
    nbytes: int


class FrameSender:
    """Produces the frames of a variable."""

    def __init__(self, variable: fastio.Variable, plan: Plan) -> None:
        self._variable = variable
        self._plan = plan
        self._is_first = True

    def next(self) -> np.ndarray:
        """Wait for a free slot."""
        if self._is_first:
            with _two_processors(self._plan):
                self._mapping = self._variable.next(timeout=PATIENCE)
            self._is_first = False
        else:
            self._mapping = self._variable.next(timeout=PATIENCE)
        return self._mapping.__enter__()

    def send(self) -> None:
        """Commit it."""
        self._mapping.__exit__(None, None, None)

    def finish(self) -> None:
        """End the stream."""
        self._variable.finish()


class FrameReceiver:
    """Consumes the frames of a variable."""

    def __init__(self, variable: fastio.Variable) -> None:
        self._frames = iter(variable.frames(timeout=PATIENCE))

    def receive(self) -> np.ndarray | None:
        """Wait for a frame."""
        self._frame = next(self._frames, None)
        return None if self._frame is None else self._frame.array

    def release(self) -> None:
        """Give its slot back."""
        self._frame.release()


@contextlib.contextmanager
def chain(plan: Plan) -> Iterator[Chain]:
    """Host the context of the edges, and start the processes."""
    with fastio.create_context(_context()), spawned(plan) as made:
        yield made


@contextlib.contextmanager
def edge(nbytes: int, _plan: Plan) -> Iterator[tuple[End, End]]:
    """Choose the variable of an edge."""
    end = End(_context(), f"frames-{next(_numbers)}", nbytes)
    yield end, end


def sender(end: End, plan: Plan) -> FrameSender:
    """Declare the variable; who does so produces it."""
    queue = fastio.Queue(depth=plan.depth, policy="block", **_SPIN[plan.variant])
    context = _opened(end.context)
    return FrameSender(context.variable(end.variable, shape=(end.nbytes,), queue=queue), plan)


def receiver(end: End, plan: Plan) -> FrameReceiver:
    """Open the variable, once its producer has declared it."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            variable = _opened(end.context)[end.variable]
            break
        except NotFoundError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
    with _two_processors(plan):
        return FrameReceiver(variable)


@contextlib.contextmanager
def _two_processors(plan: Plan) -> Iterator[None]:
    """Let the library see that the processes of a chain have a processor each."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(plan.cpus))
    yield
    os.sched_setaffinity(0, before)


@functools.cache
def _opened(name: str) -> fastio.Context:
    return fastio.open_context(name)


def _context() -> str:
    return f"bench-frames-{os.getpid()}"
