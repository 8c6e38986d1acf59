# SPDX-License-Identifier: Apache-2.0
"""Lets threads without an event loop call coroutines: all of them run on one loop in one thread."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import os
import threading
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator

P = ParamSpec("P")
R = TypeVar("R")
Inner = TypeVar("Inner")

#: Items that one hop between the threads brings at most.
_BATCH = 1024

#: Seconds that a cancelled call may take to remove what it had begun.
_TIDYING = 5.0

_lock = threading.Lock()
_running: tuple[int, asyncio.AbstractEventLoop] | None = None
_is_over = False


class Shell(Generic[Inner]):
    """Holds the object whose methods it makes plain."""

    def __init__(self, inner: Inner) -> None:
        self.inner = inner


def run(work: Coroutine[Any, Any, R]) -> R:
    """Wait for a coroutine; an interrupted wait cancels it and lets it tidy up."""
    has_ended = threading.Event()

    async def whole() -> R:
        try:
            return await work
        finally:
            has_ended.set()

    future = asyncio.run_coroutine_threadsafe(whole(), _loop())
    try:
        return future.result()
    except BaseException:
        if future.cancel():
            has_ended.wait(_TIDYING)
        raise


def blocking(
    method: Callable[Concatenate[Inner, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[Shell[Inner], P], R]:
    """Make a coroutine method of what is inside a shell a plain method of the shell."""

    @functools.wraps(method)
    def call(shell: Shell[Inner], /, *args: P.args, **kwargs: P.kwargs) -> R:
        return run(method(shell.inner, *args, **kwargs))

    return call


def iterating(
    method: Callable[Concatenate[Inner, P], AsyncGenerator[R, None]],
) -> Callable[Concatenate[Shell[Inner], P], Iterator[R]]:
    """Do the same with a method that yields."""

    @functools.wraps(method)
    def call(shell: Shell[Inner], /, *args: P.args, **kwargs: P.kwargs) -> Iterator[R]:
        batches = _Batches(method(shell.inner, *args, **kwargs))
        try:
            while batch := run(batches.take()):
                yield from batch
        finally:
            if not _is_over:
                run(batches.close())

    return call


class _Batches(Generic[R]):
    """Collects what an iterator yields without waiting, so that few hops bring many items."""

    def __init__(self, items: AsyncGenerator[R, None]) -> None:
        self._items = items
        self._next: asyncio.Task[R] | None = None

    async def take(self) -> list[R]:
        """Give one item or more, and none at the end."""
        batch: list[R] = []
        while len(batch) < _BATCH:
            if self._next is None:
                self._next = asyncio.ensure_future(_step(self._items))
                await asyncio.sleep(0)
            if batch and not self._next.done():
                break
            try:
                batch.append(await self._next)
            except StopAsyncIteration:
                break
            except BaseException:
                if batch:  # It is raised after those items were taken.
                    return batch
                raise
            self._next = None
        return batch

    async def close(self) -> None:
        """End the iterator early."""
        if self._next is not None:
            self._next.cancel()
            await asyncio.wait({self._next})
        await self._items.aclose()


async def _step(items: AsyncIterator[R]) -> R:
    return await anext(items)


def _loop() -> asyncio.AbstractEventLoop:
    global _running  # noqa: PLW0603 - one loop serves all clients of the process
    with _lock:
        # A forked child has its parent's loop, but not the thread that ran it.
        if _running is None or _running[0] != os.getpid():
            loop = asyncio.new_event_loop()
            thread = threading.Thread(target=loop.run_forever, name="clara-client", daemon=True)
            thread.start()
            _running = os.getpid(), loop
            atexit.register(_end, os.getpid(), loop, thread)
        return _running[1]


def _end(pid: int, loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    """End what still runs while it can: later, a thread does not get to run, but is waited for."""
    global _is_over  # noqa: PLW0603 - as above
    if pid != os.getpid():
        return
    _is_over = True
    with contextlib.suppress(TimeoutError):
        asyncio.run_coroutine_threadsafe(_cancel_all(), loop).result(_TIDYING)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(_TIDYING)


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
