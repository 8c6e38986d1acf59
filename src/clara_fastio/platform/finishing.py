# SPDX-License-Identifier: Apache-2.0
"""Coroutines that are not stopped half-way when their caller goes away."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Given = ParamSpec("Given")
Result = TypeVar("Result")


def finishing(
    work: Callable[Given, Awaitable[Result]],
) -> Callable[Given, Awaitable[Result]]:
    """Let a coroutine run to its end though its caller goes away, so that nothing is half done."""
    running: set[asyncio.Future[Any]] = set()

    @functools.wraps(work)
    async def finish(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        task = asyncio.ensure_future(work(*args, **kwargs))
        running.add(task)
        task.add_done_callback(running.discard)
        return await asyncio.shield(task)

    return finish
