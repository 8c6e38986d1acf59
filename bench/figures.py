# SPDX-License-Identifier: Apache-2.0
"""Draws a figure for each table of `bench.report`: wall and processor time, median and spread."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from matplotlib.axes import Axes

_UNITS = {"ns": 1.0, "us": 1e3, "ms": 1e6}
_NAMES = {"ns": "ns", "us": "µs", "ms": "ms"}
_LABEL_WIDTH = 46
_ROW_INCHES = 0.3

#: Who is drawn how; the first whose pattern is found counts.
_COLOURS = (
    (re.compile("clara_fastio"), "#0b6e4f"),
    (re.compile("bare|C\\+\\+|, again|alone|mutex|np\\."), "#6b7280"),
    (re.compile(""), "#c05621"),
)


def draw(tables: Iterable[dict[str, Any]], folder: Path) -> None:
    """Write a figure for each table.

    Parameters
    ----------
    tables
        As in a result of `bench.report`.
    folder
        Where the figures go; those of tables that are no more are removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("bench-*.svg"):
        old.unlink()
    # The same figures give the same files: no date, no random identifiers; letters stay letters.
    with mpl.rc_context({"svg.hashsalt": "bench", "svg.fonttype": "none"}):
        for table in tables:
            path = folder / name(table["title"])
            FigureCanvasSVG(_figure(table)).print_svg(path, metadata={"Date": None})


def name(title: str) -> str:
    """Name the file of a table's figure."""
    return f"bench-{re.sub('[^a-z0-9]+', '-', title.lower()).strip('-')}.svg"


def _figure(table: dict[str, Any]) -> Figure:
    rows = table["rows"]
    figure = Figure(figsize=(10, 1.3 + _ROW_INCHES * len(rows)), layout="constrained")
    figure.suptitle(table["title"], x=0.01, ha="left", fontsize=11, fontweight="bold")
    wall, cpu = figure.subplots(1, 2, sharey=True)
    _fill(wall, table, "wall_ns", "wall time")
    _fill(cpu, table, "cpu_ns", "CPU time of all processes")
    wall.set_yticks(range(len(rows)), _labels(table), fontsize=8)
    wall.set_ylim(len(rows) - 0.5, -0.5)
    return figure


def _labels(table: dict[str, Any]) -> list[str]:
    names = [row["name"] for row in table["rows"]]
    # Where all rows are of one size, the title says it.
    endings = {name.rpartition(", ")[2] for name in names}
    ending = f", {endings.pop()}" if len(endings) == 1 and len(names) > 1 else ""
    marks = [" (= 1)" if name == table["reference"] else "" for name in names]
    return [
        textwrap.shorten(name.removesuffix(ending), _LABEL_WIDTH, placeholder=" …") + mark
        for name, mark in zip(names, marks, strict=True)
    ]


def _fill(axes: Axes, table: dict[str, Any], measure: str, title: str) -> None:
    unit = _UNITS[table["unit"]]
    for place, row in enumerate(table["rows"]):
        low, median, high = (value / unit for value in row[measure])
        colour = _colour(row["name"])
        axes.plot([low, high], [place, place], color=colour, linewidth=5, alpha=0.35)
        axes.plot([median], [place], "o", color=colour, markersize=5)
        slowest = row.get("wall_p99_ns")
        if measure == "wall_ns" and slowest:
            axes.plot([slowest / unit], [place], "|", color=colour, markersize=9)
    axes.set_title(f"{title}, {_NAMES[table['unit']]} a step", fontsize=9, loc="left")
    _scale(axes, [value / unit for row in table["rows"] for value in row[measure]])
    axes.grid(axis="x", color="#d1d5db", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.tick_params(axis="both", labelsize=8, length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _scale(axes: Axes, values: list[float]) -> None:
    """Use a logarithmic scale where the values differ much."""
    positive = [value for value in values if value > 0]
    if positive and max(positive) > 8 * min(positive):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(10, numticks=12))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))


def _colour(twin: str) -> str:
    return next(colour for pattern, colour in _COLOURS if pattern.search(twin))
