# SPDX-License-Identifier: Apache-2.0
"""Follows a job on a server until it ends: drawn in a terminal, else a line for each change."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from clara_fastio.cli.exit_codes import ExitCode
from clara_fastio.cli.output import console, is_terminal, make_table, print_json_line
from clara_fastio.cli.texts import (
    OPERATOR_COLUMNS,
    duration,
    operator_cells,
    outcome,
    plain,
    styled,
)
from clara_fastio.cli.texts import to_json as as_json_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Group

    from clara_fastio.platform import Client, Job

_EXIT = {
    "faulted": ExitCode.OPERATOR_FAILED,
    "terminated": ExitCode.DEADLINE,
    "canceled": ExitCode.CANCELED,
    "evicted": ExitCode.UNAVAILABLE,
}
_DETACHED = 130
#: Lines of the drawing that are no operator's.
_FRAME = 5
#: A narrower terminal has no room for the times.
_FULL = 60


def follow(client: Client, job_id: str, *, as_json: bool = False, quiet: bool = False) -> int:
    """Show a job until it is stopped, and give the exit code that says how it ended."""
    try:
        changes = client.jobs.watch(job_id)
        job = list(changes)[-1] if quiet and not as_json else _shown(changes, as_json=as_json)
    except KeyboardInterrupt:
        print(f"clara: job {job_id} goes on; clara cancel job {job_id[:12]}", file=sys.stderr)
        return _DETACHED
    if job.has_succeeded:
        return ExitCode.OK
    sys.stdout.flush()  # Else the two change places in a file that takes both.
    for message in job.messages or (f"the job is {outcome(job)}",):
        print(f"clara: {plain(message)}", file=sys.stderr)
    return _EXIT.get(job.status.value, ExitCode.INTERNAL)


def _shown(changes: Iterator[Job], *, as_json: bool) -> Job:
    if as_json:
        for job in changes:
            print_json_line(as_json_value(job))
        return job
    return _drawn(changes) if is_terminal() else _in_lines(changes)


def _drawn(changes: Iterator[Job]) -> Job:
    from rich.live import Live

    screen = console()
    job = next(changes)
    with Live(
        console=screen,
        get_renderable=lambda: draw(job, *screen.size),
        refresh_per_second=4,
        transient=True,
    ):
        for job in changes:  # noqa: B007 - the drawing reads it
            pass
    screen.print(draw(job, screen.width, sys.maxsize))
    return job


def draw(job: Job, width: int, height: int) -> Group:
    """Draw a job as it is; without room for all operators, those that do something."""
    from rich.console import Group
    from rich.text import Text

    order = {"faulted": 0, "running": 1, "pending": 2, "completed": 3}
    room = max(height - _FRAME, 1)
    by_rank = sorted(job.operators, key=lambda each: order.get(each.status.value, 4))
    chosen = {each.name for each in by_rank[:room]}
    head = Text.assemble(
        (plain(job.name), "bold"),
        "  ",
        styled(outcome(job)),
        f"  {duration(job.started or job.created, job.stopped)}",
        (f"  {job.id}", "dim"),
        no_wrap=True,
        overflow="ellipsis",
    )
    shown = [each for each in job.operators if each.name in chosen]
    hidden = len(job.operators) - len(shown)
    foot = Text(f"and {hidden} more" if hidden else "", style="dim")
    kept = slice(None) if width >= _FULL else slice(2)
    rows = [operator_cells(each)[kept] for each in shown]
    return Group(head, "", make_table(OPERATOR_COLUMNS[kept], rows), foot)


def _in_lines(changes: Iterator[Job]) -> Job:
    said: dict[str, str] = {}
    for job in changes:
        now = {each.name: each.status.value for each in job.operators if each.started is not None}
        for name, status in now.items():
            if said.get(name) != status:
                print(f"{plain(name)}: {status}", flush=True)
        if said.get("") != outcome(job):
            print(f"job {job.id}: {outcome(job)}", flush=True)
        said = now | {"": outcome(job)}
    return job
