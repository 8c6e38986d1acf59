# SPDX-License-Identifier: Apache-2.0
"""What is shown while a job runs: a table that moves in a terminal, plain lines elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Self

from clara_fastio.cli.output import console, format_bytes, format_seconds, make_table
from clara_fastio.runner.events import LogLine, Note, StateChanged

if TYPE_CHECKING:
    from rich.console import Group

    from clara_fastio.runner import Event, Runner, RunResult

_REFRESH = 0.25


class View:
    """Shows nothing."""

    def __enter__(self) -> Self:
        """Begin to show."""
        return self

    def __exit__(self, *_error: object) -> None:
        """End it."""

    def observe(self, event: Event) -> None:
        """Take one event."""

    async def watch(self, runner: Runner) -> None:
        """Look at the job now and then, until cancelled."""


class PlainView(View):
    """Prints a line for each event, until nobody reads them any more."""

    def __init__(self) -> None:
        self._is_read = True

    def observe(self, event: Event) -> None:
        """Print the event."""
        if self._is_read:
            try:
                print(describe(event), flush=True)
            except BrokenPipeError:  # The job goes on; its result tells the rest.
                self._is_read = False


class LiveView(View):
    """Redraws a table of the operators below what they print."""

    def __init__(self) -> None:
        from rich.live import Live

        self._console = console()
        self._live = Live(console=self._console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._live.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """Remove the table; what was printed stays."""
        self._live.stop()

    def observe(self, event: Event) -> None:
        """Print what operators and the runner say; states are in the table."""
        if not isinstance(event, StateChanged):
            self._console.print(describe(event))

    async def watch(self, runner: Runner) -> None:
        """Redraw until cancelled."""
        while True:
            self._live.update(draw(runner.snapshot(), runner.memory_used()), refresh=True)
            await asyncio.sleep(_REFRESH)


def describe(event: Event) -> str:
    """Give an event as one line."""
    if isinstance(event, LogLine):
        return f"[{event.operator}] {event.text}"
    if isinstance(event, Note):
        return f"{event.operator or 'clara'}: {event.text}"
    return f"{event.operator}: {event.state.value} at {event.seconds:.2f} s"


def draw(job: RunResult, shared: int) -> Group:
    """Draw a running job; `shared` are the bytes that its context holds."""
    from rich.console import Group
    from rich.text import Text

    columns = ("OPERATOR", "STATE", ">PREPARE", ">WAIT", ">EXECUTE", ">PASSED ON", ">MEMORY")
    rows = []
    for each in job.operators:
        passed = sum(edge.nbytes for edge in job.edges if edge.source == each.name)
        rows.append(
            (
                each.name,
                each.state.value,
                format_seconds(each.prepare),
                format_seconds(each.wait),
                format_seconds(each.execute),
                format_bytes(passed) if passed else "-",
                format_bytes(each.peak_memory or _resident(each.pid)),
            )
        )
    head = f"{job.pipeline}: {job.status.value}, {job.seconds:.1f} s, "
    head += f"{format_bytes(shared)} shared in context {job.context}"
    return Group(make_table("", columns, rows), Text(head))


def _resident(pid: int | None) -> int | None:
    """Add up the memory of a process and its children; ``None`` when it is gone."""
    import psutil

    total = None
    with contextlib.suppress(psutil.Error):
        if pid is not None:
            process = psutil.Process(pid)
            family = [process, *process.children(recursive=True)]
            total = sum(each.memory_info().rss for each in family)
    return total
