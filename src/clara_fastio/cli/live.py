# SPDX-License-Identifier: Apache-2.0
"""The table of operators that is drawn in a terminal while a job runs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

from clara_fastio.cli.operators import STYLES, operator_cells
from clara_fastio.cli.output import console, format_bytes, make_table
from clara_fastio.cli.streams import edge_rows, stream_columns
from clara_fastio.cli.view import View, describe
from clara_fastio.runner.events import LogLine, StateChanged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Group

    from clara_fastio.runner import Event, OperatorReport, Runner, RunResult

_REFRESH = 0.25
#: Lines of the drawing that are no operator's.
_FRAME = 6
_FRAME_OF_EDGES = 3
#: Operators that go before edges.
_LEAST = 3

#: Who goes first when there is no room for all.
_ORDER = ("failed", "execute", "cleanup", "prepare", "starting", "waiting", "stopped")


class LiveView(View):
    """Redraws the operators below what they print."""

    def __init__(self) -> None:
        from rich.live import Live

        self._console = console()
        self._live = Live(console=self._console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._live.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """Remove the drawing; what was printed stays."""
        self._live.stop()

    def observe(self, event: Event) -> None:
        """Print what operators and the runner say; states are in the table."""
        from rich.text import Text

        if isinstance(event, LogLine):
            # Colours may stay, but nothing that moves the cursor: the drawing would be torn.
            text = Text.from_ansi(event.text.rpartition("\r")[2])
            plain = "".join(each if each.isprintable() else " " for each in text.plain)
            text.plain = plain
            self._console.print(Text.assemble((f"[{event.operator}] ", "dim"), text))
        elif not isinstance(event, StateChanged):
            self._console.print(Text(describe(event), style="yellow"))

    async def watch(self, runner: Runner) -> None:
        """Redraw until cancelled."""
        while True:
            size = self._console.size
            drawing = draw(runner.snapshot(), runner.memory_used(), size.width, size.height)
            self._live.update(drawing, refresh=True)
            await asyncio.sleep(_REFRESH)


def draw(job: RunResult, shared: int, width: int, height: int) -> Group:
    """Draw a running job; `shared` are the bytes that its context holds."""
    from rich.console import Group
    from rich.text import Text

    edges = edge_rows(job.streams, width)[: max(0, height - _FRAME - _LEAST - _FRAME_OF_EDGES)]
    room = height - _FRAME - (len(edges) + _FRAME_OF_EDGES if edges else 0)
    shown, hidden = _choose(job.operators, room)
    head = Text.assemble(
        (job.pipeline, "bold"),
        "  ",
        (job.status.value, STYLES[job.status.value]),
        f"  {job.seconds:.1f} s  {format_bytes(shared)} shared",
        (f"  in context {job.context}" if job.context and width >= 80 else "", "dim"),
    )
    if job.status.value != "running":
        head.append("  stopping; Ctrl-C kills", "bold yellow")
    foot = Text(", ".join(hidden), style="dim")
    columns, rows = operator_cells(job, shown, width)
    streams = ("", make_table(stream_columns(width), edges)) if edges else ()
    return Group("", head, "", make_table(columns, rows), *streams, foot)


def _choose(
    operators: Sequence[OperatorReport], room: int
) -> tuple[list[OperatorReport], list[str]]:
    """Pick the operators that there is room for, and count the others by their state."""
    rank = {state: place for place, state in enumerate(_ORDER)}
    by_rank = sorted(operators, key=lambda each: rank.get(each.state.value, len(rank)))
    chosen = {each.name for each in by_rank[: max(room, 1)]}
    hidden: dict[str, int] = {}
    for each in operators:
        if each.name not in chosen:
            hidden[each.state.value] = hidden.get(each.state.value, 0) + 1
    others = [f"{number} {state}" for state, number in hidden.items()]
    return [each for each in operators if each.name in chosen], others
