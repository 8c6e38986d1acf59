# SPDX-License-Identifier: Apache-2.0
"""The operators of a job as rows of a table: states, times, bytes and memory."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from clara_fastio.cli.output import format_bytes, format_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from clara_fastio.runner import OperatorReport, RunResult

#: How states and outcomes look in a terminal.
STYLES = {
    "pending": "dim",
    "starting": "blue",
    "prepare": "blue",
    "waiting": "dim",
    "execute": "bold cyan",
    "cleanup": "cyan",
    "completed": "green",
    "failed": "bold red",
    "stopped": "yellow",
    "skipped": "dim",
    "running": "bold cyan",
    "succeeded": "bold green",
    "timed-out": "bold red",
    "interrupted": "bold yellow",
}

#: Columns, and how wide a terminal must be for them. Padded, so that nothing moves.
_COLUMNS = (
    ("OPERATOR", 0),
    ("STATE    ", 0),
    (">   START", 100),
    (">PREPARE", 90),
    (">    WAIT", 70),
    (">EXECUTE", 0),
    (">PASSED ON", 80),
    (">    MEMORY", 60),
)


def operator_cells(
    job: RunResult, shown: Sequence[OperatorReport], width: int
) -> tuple[list[str], list[list[str | Text]]]:
    """Give columns and rows.

    Parameters
    ----------
    job
        Whose operators they are.
    shown
        The operators that there is room for.
    width
        Of the terminal; what there is no room for is left out.
    """
    fits = [needed <= width for _, needed in _COLUMNS]

    def chosen(cells: Sequence[str | Text]) -> list[str | Text]:
        return [cell for cell, wanted in zip(cells, fits, strict=True) if wanted]

    columns = [name for (name, _), wanted in zip(_COLUMNS, fits, strict=True) if wanted]
    return columns, [chosen(_cells(job, each)) for each in shown]


def _cells(job: RunResult, each: OperatorReport) -> list[str | Text]:
    from rich.text import Text

    passed = sum(edge.nbytes for edge in job.edges if edge.source == each.name)
    return [
        each.name,
        Text(each.state.value, style=STYLES[each.state.value]),
        format_seconds(each.starting),
        format_seconds(each.prepare),
        format_seconds(each.wait),
        format_seconds(each.execute),
        format_bytes(passed) if passed else "-",
        format_bytes(each.peak_memory or _resident(each.pid)),
    ]


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
