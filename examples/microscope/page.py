# SPDX-License-Identifier: Apache-2.0
"""The page that shows both slides with what was found on them, and how it went."""

from __future__ import annotations

from typing import TYPE_CHECKING

import colours
import numpy as np
from matplotlib import rc_context
from matplotlib.collections import EllipseCollection, LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch
from stage import SLIDES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray
    from tally import Tally

_DPI = 100
_WIDTH = 1920
_MARGIN = 60
_GAP = 24
_HEAD = 150
_PLOT = 190
_SIDE = (_WIDTH - 2 * _MARGIN - _GAP) // 2
_HEIGHT = _HEAD + _SIDE + 96 + _PLOT + 62
_CARD = (214, 84)


def draw_page(path: Path, pictures: Sequence[NDArray[np.uint8]], tally: Tally) -> None:
    """Write a PNG.

    Parameters
    ----------
    path
        The file to write.
    pictures
        uint8 [height, width, 3] for each slide.
    tally
        What was found; the last sweep is drawn.
    """
    with rc_context(colours.STYLE):
        page = _Page()
        page.head(tally)
        for place, (slide, picture) in enumerate(zip(SLIDES, pictures, strict=True)):
            axes_left = _MARGIN + place * (_SIDE + _GAP)
            axes = page.axes(axes_left, _HEAD, _SIDE, _SIDE)
            axes.imshow(picture, interpolation="antialiased", aspect="auto")
            axes.set_axis_off()
            finds = tally.finds(slide, tally.sweeps[-1])
            _DRAW[slide](axes, finds)
            page.text(axes_left, _HEAD + _SIDE + 24, _TITLES[slide], fontsize=12, weight="bold")
            _explain(axes, _LEGENDS[slide])
        top = _HEAD + _SIDE + 96
        _draw_counts(page.axes(_MARGIN + 50, top, _SIDE - 100, _PLOT), tally)
        _draw_latency(page.axes(_MARGIN + _SIDE + _GAP + 50, top, _SIDE - 50, _PLOT), tally)
        page.figure.savefig(path)


class _Page:
    """A figure addressed in pixels from its top left corner."""

    def __init__(self) -> None:
        self.figure = Figure((_WIDTH / _DPI, _HEIGHT / _DPI), dpi=_DPI)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        bottom = _HEIGHT - top - height
        return self.figure.add_axes(
            (left / _WIDTH, bottom / _HEIGHT, width / _WIDTH, height / _HEIGHT)
        )

    def text(self, x: float, y: float, text: str, **style: object) -> None:
        self.figure.text(x / _WIDTH, 1 - y / _HEIGHT, text, va="center", **style)

    def head(self, tally: Tally) -> None:
        self.text(_MARGIN, 56, "Stage scan", fontsize=27, weight="bold")
        fields = len(tally.rows) // len(tally.sweeps)
        sweeps = len(tally.sweeps)
        about = (
            f"{len(tally.rows)} frames: {fields} fields, "
            f"each seen {sweeps} time{'s' if sweeps > 1 else ''}"
        )
        self.text(_MARGIN, 100, about, fontsize=12.5, color=colours.QUIET)
        summary = tally.summary()
        cards = (
            ("Nuclei", f"{summary['tissue']['nuclei'][-1]}"),
            ("In brown cells", f"{summary['tissue']['brown_share'][-1]:.0%}"),
            ("Points of vessels", f"{summary['retina']['vessel_points'][-1]:,}"),
            ("Frames per second", f"{tally.rate:.1f}"),
            ("Camera to mosaic", f"{1e3 * tally.latency(50):.0f} ms"),
        )
        width, height = _CARD
        for place, (name, value) in enumerate(reversed(cards)):
            left = _WIDTH - _MARGIN - (place + 1) * (width + 14) + 14
            # Without axes a patch is drawn in figure pixels, and those count from the bottom.
            box = FancyBboxPatch(
                (left, _HEIGHT - 36 - height), width, height, transform=None, linewidth=0,
                fc=colours.PANEL, boxstyle="round,pad=0,rounding_size=10",
            )  # fmt: skip
            self.figure.add_artist(box)
            self.text(left + 18, 58, name, fontsize=11, color=colours.QUIET)
            self.text(left + 17, 93, value, fontsize=21, weight="bold")


_TITLES = {"tissue": "Colon, immunohistochemistry", "retina": "Retina"}
_LEGENDS = {
    "tissue": {"nucleus of a brown cell": colours.BROWN, "of another cell": colours.BLUE},
    "retina": dict(zip(("thin", "medium", "wide vessel"), colours.VESSELS, strict=True)),
}


def _explain(axes: Axes, entries: Mapping[str, str]) -> None:
    axes.legend(
        handles=[Line2D([], [], color=colour, linewidth=3) for colour in entries.values()],
        labels=list(entries), ncols=len(entries), loc="upper right", bbox_to_anchor=(1, -0.006),
        fontsize=11, labelcolor=colours.QUIET, frameon=False, borderaxespad=0, handlelength=1.2,
    )  # fmt: skip


def _draw_nuclei(axes: Axes, finds: NDArray[np.float32]) -> None:
    for brown, colour in ((1, colours.BROWN), (0, colours.BLUE)):
        some = finds[finds[:, 5] == brown]
        axes.add_collection(
            EllipseCollection(
                some[:, 2], some[:, 3], np.degrees(some[:, 4]), units="xy", offsets=some[:, :2],
                offset_transform=axes.transData, facecolors="none", edgecolors=colour,
                linewidths=1.0,
            )
        )  # fmt: skip


def _draw_vessels(axes: Axes, finds: NDArray[np.float32]) -> None:
    reach = 0.7 * finds[:, 2:3] * np.stack([np.cos(finds[:, 4]), np.sin(finds[:, 4])], axis=1)
    strokes = np.stack([finds[:, :2] - reach, finds[:, :2] + reach], axis=1)
    widths = np.unique(finds[:, 3])
    for width, colour in zip(widths, colours.VESSELS, strict=False):
        some = finds[:, 3] == width
        axes.add_collection(LineCollection(strokes[some], colors=colour, linewidths=width / 4))


_DRAW = {"tissue": _draw_nuclei, "retina": _draw_vessels}


def _style(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=11, color=colours.TEXT, pad=10)
    axes.spines[:].set_visible(False)
    axes.grid(color=colours.RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=9.5, labelcolor=colours.QUIET, pad=6)
    axes.xaxis.set_major_formatter("{x:g} s")


def _draw_counts(axes: Axes, tally: Tally) -> None:
    _style(axes, "Counted so far in each sweep: nuclei (left) and points of vessels (right)")
    other = axes.twinx()
    other.spines[:].set_visible(False)
    other.tick_params(length=0, labelsize=9.5, labelcolor=colours.VESSELS[1], pad=6)
    axes.tick_params(axis="y", labelcolor=colours.BROWN)
    start = tally.rows[0].seconds
    for sweep in tally.sweeps:
        for slide, where, colour in (
            ("tissue", axes, colours.BROWN),
            ("retina", other, colours.VESSELS[1]),
        ):
            rows = tally.of(slide, sweep)
            seconds = [row.seconds - start for row in rows]
            where.plot(seconds, np.cumsum([row.amount for row in rows]), color=colour, linewidth=2)
    for each in (axes, other):
        each.set_ylim(bottom=0)
        each.margins(x=0.01)


def _draw_latency(axes: Axes, tally: Tally) -> None:
    median, tail = (1e3 * tally.latency(share) for share in (50, 99))
    _style(
        axes, f"Milliseconds from shutter to mosaic: median {median:.0f}, 99 % within {tail:.0f}"
    )
    start = tally.rows[0].seconds
    for slide, colour in (("tissue", colours.BROWN), ("retina", colours.VESSELS[1])):
        rows = tally.of(slide)
        seconds, latencies = ([row.seconds - start for row in rows], [row.latency for row in rows])
        axes.scatter(seconds, np.multiply(latencies, 1e3), s=9, color=colour, linewidths=0)
    axes.set_ylim(bottom=0)
    axes.margins(x=0.01)
