# SPDX-License-Identifier: Apache-2.0
"""Tables for people and JSON for programs."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text


def is_terminal() -> bool:
    """Say whether a person looks at standard output, on a screen that can be drawn on."""
    return sys.stdout.isatty() and os.environ.get("TERM", "") not in {"", "dumb", "unknown"}


def console() -> Console:
    """Make a console on standard output."""
    from rich.console import Console

    # Nothing that operators say is taken for rich's own mark-up.
    return Console(highlight=False, markup=False, emoji=False)


def make_table(columns: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> Table:
    """Make a table for a terminal; a column whose name begins with ``>`` is aligned right."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False)
    for column in columns:
        table.add_column(
            column.removeprefix(">"),
            justify="right" if column.startswith(">") else "left",
            no_wrap=True,
            overflow="ellipsis",
        )
    for row in rows:
        table.add_row(*row)
    return table


def format_table(columns: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> str:
    """Give a table as plain lines, without frame and colour."""
    cells = [[column.removeprefix(">") for column in columns], *(map(str, row) for row in rows)]
    lines = [list(line) for line in cells]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column.startswith(">") else cell.ljust(width)
            for cell, width, column in zip(line, widths, columns, strict=True)
        ).rstrip()
        for line in lines
    )


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> None:
    """Print a table below its title."""
    if is_terminal():
        from rich.text import Text

        console().print(Text(title, style="italic"), make_table(columns, rows), "", sep="\n")
    else:
        print(f"{title}\n{format_table(columns, rows)}\n")


def print_json(value: Any) -> None:
    """Print one JSON document."""
    print(json.dumps(value, indent=2, default=str))


def print_json_line(value: Any) -> None:
    """Print one JSON document on a line of its own, at once."""
    print(json.dumps(value, default=str), flush=True)


def format_bytes(nbytes: int | None) -> str:
    """Give a size for people."""
    if nbytes is None:
        return "-"
    size = float(nbytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def format_seconds(seconds: float | None) -> str:
    """Give a time for people."""
    return "-" if seconds is None else f"{seconds:.2f}"


def count(number: int, noun: str) -> str:
    """Give a number with its noun, which takes an s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
