# SPDX-License-Identifier: Apache-2.0
"""Streams of frames as rows of a table: rates, latencies, and what was lost."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.text import Text

    from clara_fastio import EdgeInfo, StreamInfo
    from clara_fastio.runner.stream_report import StreamEdgeReport, StreamReport

#: Columns, and how wide a terminal must be for them. Padded, so that nothing moves.
_COLUMNS = (
    ("STREAM", 88),
    ("TO", 0),
    ("POLICY", 129),
    (">FRAMES/S", 0),
    (">  MEDIAN", 62),
    (">     P99", 74),
    (">QUEUED", 97),
    (">HELD", 115),
    (">  TAKEN", 108),
    (">DROPPED", 0),
    (">SKIPPED", 155),
    (">UNREAD", 145),
    (">LOST", 50),
    (">LATE", 136),
)


def stream_columns(width: int) -> list[str]:
    """Give the columns that fit into a terminal."""
    return [name for name, needed in _COLUMNS if needed <= width]


def edge_rows(streams: Iterable[StreamReport], width: int) -> list[list[str | Text]]:
    """Give a row for each edge of the streams of a job."""
    return [
        _fitting(
            [
                f"{stream.operator}.{stream.output}",
                edge.target,
                *_cells(edge, edge.rate, edge.median, edge.p99),
            ],
            width,
        )
        for stream in streams
        for edge in stream.edges
    ]


def seen_row(name: str, edge: EdgeInfo, rate: float | None, width: int) -> list[str | Text]:
    """Give the row of an edge of any context."""
    median, p99 = (None if math.isnan(s) else s for s in (edge.latency(0.5), edge.latency(0.99)))
    target = f"{edge.name} (group)" if edge.is_shared else edge.name
    return _fitting([name, target, *_cells(edge, rate, median, p99)], width)


def empty_row(name: str, stream: StreamInfo, width: int) -> list[str | Text]:
    """Give the row of a stream that has no edge."""
    rest = len(_COLUMNS) - 3
    return _fitting(
        [name, f"nobody, {stream.unclaimed} unclaimed", stream.policy, *["-"] * rest], width
    )


def format_latency(seconds: float | None) -> str:
    """Give a short time for people."""
    if seconds is None:
        return "-"
    for unit, size in (("us", 1e-6), ("ms", 1e-3)):
        if seconds < 1000 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def _cells(
    edge: StreamEdgeReport | EdgeInfo, rate: float | None, median: float | None, p99: float | None
) -> list[str]:
    return [
        edge.policy,
        "-" if rate is None else f"{rate:.1f}",
        format_latency(median),
        format_latency(p99),
        *(str(edge.queued), str(edge.held), str(edge.taken), str(edge.dropped)),
        *(str(edge.skipped), str(edge.unread), str(edge.lost), str(edge.late)),
    ]


def _fitting(cells: list[Any], width: int) -> list[str | Text]:
    return [cell for cell, (_, needed) in zip(cells, _COLUMNS, strict=True) if needed <= width]
