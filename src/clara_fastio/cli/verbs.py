# SPDX-License-Identifier: Apache-2.0
"""The original's form of commands, verb before noun; a noun may be singular or plural."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from clara_fastio.cli import job, jobs, payload, pipeline, server, transfer

if TYPE_CHECKING:
    from collections.abc import Callable

_VERBS: dict[str, tuple[str, dict[str, Callable[..., None]]]] = {
    "create": (
        "Create a pipeline, a job or a reusable payload on a server.",
        {"pipeline": pipeline.create, "job": job.create, "payload": payload.create},
    ),
    "start": ("Start a job.", {"job": job.start}),
    "cancel": ("Stop jobs.", {"job": job.cancel}),
    "list": (
        "List what a server has.",
        {"pipelines": pipeline.list_all, "jobs": jobs.list_all, "payloads": payload.list_all},
    ),
    "describe": (
        "Show one thing of a server in full.",
        {"pipeline": pipeline.describe, "job": jobs.describe, "payload": payload.describe},
    ),
    "delete": (
        "Remove pipelines, payloads, or files of payloads.",
        {"pipeline": pipeline.delete, "payload": payload.delete},
    ),
}


def add_verbs(app: typer.Typer) -> None:
    """Add the commands that talk to a server."""
    for verb, (text, nouns) in _VERBS.items():
        group: Any = typer.Typer(help=text, no_args_is_help=True)
        for noun, command in nouns.items():
            group.command(noun)(command)
            group.command(_other_number(noun), hidden=True)(command)
        app.add_typer(group, name=verb)
    app.command()(transfer.upload)
    app.command()(transfer.download)
    app.command()(job.logs)
    app.command()(server.stop)


def _other_number(noun: str) -> str:
    return noun.removesuffix("s") if noun.endswith("s") else f"{noun}s"
