# SPDX-License-Identifier: Apache-2.0
"""What programs that use this library need in their tests."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from clara_fastio._core import create_context, set_debug

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clara_fastio._core import Context

__all__ = ["debug_mode", "temporary_context"]


@contextlib.contextmanager
def temporary_context(
    name: str | None = None, *, capacity: int = 1024, memory_limit: int | None = None
) -> Iterator[Context]:
    """Host a context for the time of a block.

    Parameters
    ----------
    name
        Its name; None makes one up that nobody else has.
    capacity
        How many allocations and variables it can hold.
    memory_limit
        Bytes that all of them may take together.

    Yields
    ------
    Context
        Closed, with everything in it, at the end of the block.

    Examples
    --------
    >>> with temporary_context() as context:
    ...     context.variable("answer", shape=(1,), dtype="i32").shape
    (1,)
    """
    with create_context(name, capacity=capacity, memory_limit=memory_limit) as context:
        yield context


@contextlib.contextmanager
def debug_mode(*, enabled: bool = True) -> Iterator[None]:
    """Turn ``CLARA_FASTIO_DEBUG`` on or off for the time of a block, in this process.

    Parameters
    ----------
    enabled
        Whether leaving the block of a mapping empties its array, and raises `BufferError` when
        something else made from it is still alive.
    """
    before = set_debug(enabled)
    try:
        yield
    finally:
        set_debug(before)
