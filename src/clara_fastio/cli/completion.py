# SPDX-License-Identifier: Apache-2.0
"""Ids that a shell may complete: those that the server knows, if it answers at once."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from clara_fastio.errors import FastIOError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from clara_fastio.cli.identifiers import Known
    from clara_fastio.platform import Client

#: Longer than this nobody waits for a key press to show something.
_PATIENCE = 2.0


def complete_pipeline(ctx: Any, incomplete: str) -> list[tuple[str, str]]:
    """Offer pipelines."""
    from clara_fastio.cli.identifiers import pipelines

    return _offer(ctx, incomplete, pipelines)


def complete_job(ctx: Any, incomplete: str) -> list[tuple[str, str]]:
    """Offer jobs."""
    from clara_fastio.cli.identifiers import jobs

    return _offer(ctx, incomplete, jobs)


def _offer(
    ctx: Any, incomplete: str, known: Callable[[Client], Iterable[Known]]
) -> list[tuple[str, str]]:
    from clara_fastio.cli.connection import connect

    # What cannot be reached offers nothing, and says nothing into the line that is being typed.
    with contextlib.suppress(FastIOError, OSError):
        host, config = ctx.params.get("host") or "", ctx.params.get("config")
        with connect(host, config, timeout=_PATIENCE) as client:
            return [
                (each.id, each.name)
                for each in known(client)
                if each.id.startswith(incomplete.lower())
            ]
    return []
