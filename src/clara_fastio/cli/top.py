# SPDX-License-Identifier: Apache-2.0
"""The streams of a context, whoever hosts it: once, or again and again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from clara_fastio.cli.output import console, is_terminal, make_table, print_table
from clara_fastio.cli.streams import empty_row, seen_row, stream_columns

if TYPE_CHECKING:
    from rich.text import Text

    from clara_fastio import Context, StreamInfo

_NO_LIMIT = 1000


def read_streams(context: Context) -> dict[str, StreamInfo]:
    """Read the counters of all streams of a context, by the names of their variables."""
    from clara_fastio import FreedError, NotFoundError, Variable

    found: dict[str, StreamInfo] = {}
    for name in context:
        try:
            entry = context[name]
            if isinstance(entry, Variable) and entry.queue is not None:
                found[name] = entry.stream
        except (NotFoundError, FreedError):  # Freed while we look.
            continue
    return found


class Top:
    """Tables of the streams of a context; rates are those between two looks.

    Parameters
    ----------
    context
        Open.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._before: dict[tuple[str, str], int] = {}
        self._looked: float | None = None

    def rows(self, width: int) -> list[list[str | Text]]:
        """Look at all streams and give a row for each edge."""
        now = time.monotonic()
        passed = None if self._looked is None else now - self._looked
        rows: list[list[str | Text]] = []
        for name, stream in read_streams(self._context).items():
            if not stream.edges:
                rows.append(empty_row(name, stream, width))
            for edge in stream.edges:
                before = self._before.get((name, edge.name))
                self._before[name, edge.name] = edge.taken
                rate = None if not passed or before is None else (edge.taken - before) / passed
                rows.append(seen_row(name, edge, rate, width))
        self._looked = now
        return rows

    def print(self) -> None:
        """Print one table."""
        width = console().width if is_terminal() else _NO_LIMIT
        rows = self.rows(width)
        print_table("Streams", stream_columns(width), rows)

    def draw(self, interval: float, count: int | None) -> None:
        """Redraw the table in a terminal, or print it again and again.

        Parameters
        ----------
        interval
            Seconds between two looks.
        count
            How often; None until the context ends.
        """
        from rich.live import Live

        screen = console()
        live = Live(console=screen, auto_refresh=False) if is_terminal() else None
        if live is not None:
            live.start()
        try:
            while count is None or count > 0:
                count = None if count is None else count - 1
                if live is None:
                    self.print()
                else:
                    table = make_table(stream_columns(screen.width), self.rows(screen.width))
                    live.update(table, refresh=True)
                if count != 0:
                    time.sleep(interval)
        finally:
            if live is not None:
                live.stop()
