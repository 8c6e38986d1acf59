# SPDX-License-Identifier: Apache-2.0
"""The page that shows a segmentation: three rows of slices under a legend with the overlaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import palette
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from tissue import LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from slices import LabelledVolume, Slice

_DPI = 100
_WIDTH = 1920
_MARGIN = 72
_GAP = 14
_HEAD = 186
_CAPTION = 34
_FOOT = 26
_CARD = (236, 100)
_ROWS = (("Axial", 2, 7), ("Coronal", 1, 7), ("Sagittal", 0, 6))


def draw_montage(
    path: Path, brain: LabelledVolume, scores: Mapping[str, float], subtitle: str
) -> None:
    """Write a PNG with rows of axial, coronal and sagittal slices.

    Parameters
    ----------
    path
        The file to write.
    brain
        What to cut.
    scores
        Dice overlap by tissue name.
    subtitle
        One line under the title.
    """
    rows = [(name, brain.cut(axis, np.linspace(0.2, 0.8, n))) for name, axis, n in _ROWS]
    tops = np.cumsum([_HEAD, *(_height(row) + _CAPTION + _GAP for _, row in rows)])
    with rc_context(palette.STYLE):
        page = _Page(int(tops[-1]) + _FOOT)
        page.head(subtitle)
        for place, name in enumerate(LABELS):
            left = _WIDTH - _MARGIN - (len(LABELS) - place) * (_CARD[0] + _GAP) + _GAP
            page.card(name, scores[name], left)
        for (name, row), (_, axis, _), top in zip(rows, _ROWS, tops[:-1], strict=True):
            page.row(name, "xyz"[axis], row, int(top))
        page.figure.savefig(path)


def _height(row: list[Slice]) -> int:
    """Return the height at which the slices of a row, side by side, fill the width."""
    room = _WIDTH - 2 * _MARGIN - _GAP * (len(row) - 1)
    return round(room / sum(piece.aspect for piece in row))


class _Page:
    """A figure addressed in pixels from its top left corner."""

    def __init__(self, height: int) -> None:
        self._height = height
        self.figure = Figure((_WIDTH / _DPI, height / _DPI), dpi=_DPI)

    def _text(self, x: float, y: float, text: str, **style: object) -> None:
        self.figure.text(x / _WIDTH, 1 - y / self._height, text, va="center", **style)

    def _box(self, x: float, y: float, width: float, height: float, **style: object) -> None:
        # Without axes a patch is drawn in figure pixels, and those count from the bottom.
        corner = (x, self._height - y - height)
        self.figure.add_artist(
            FancyBboxPatch(corner, width, height, transform=None, linewidth=0, **style)
        )

    def head(self, subtitle: str) -> None:
        quiet = {"fontsize": 12.5, "color": palette.QUIET}
        self._text(_MARGIN, 62, "Tissue segmentation", fontsize=27, weight="bold")
        self._text(_MARGIN, 105, subtitle, **quiet)
        self._text(_MARGIN, 129, "Left half: the scan.  Right half: tissues over it.", **quiet)

    def card(self, name: str, score: float, left: float) -> None:
        width, height = _CARD
        top, right = 44, left + width - 18
        self._box(
            left, top, width, height, fc=palette.PANEL, boxstyle="round,pad=0,rounding_size=10"
        )
        self._box(
            left + 18, top + 22, 14, 14,
            fc=palette.TISSUES[name], boxstyle="round,pad=0,rounding_size=4",
        )  # fmt: skip
        self._text(left + 42, top + 29, palette.NAMES[name], fontsize=11, color=palette.QUIET)
        self._text(left + 17, top + 68, f"{score:.3f}", fontsize=23, weight="bold")
        self._text(right, top + 72, "Dice", fontsize=10.5, color=palette.QUIET, ha="right")

    def row(self, name: str, axis: str, row: list[Slice], top: int) -> None:
        height, left = _height(row), float(_MARGIN)
        quiet = {"color": palette.QUIET, "ha": "center"}
        style = {"fontsize": 11, "weight": "bold", "rotation": 90}
        self._text(_MARGIN / 2, top + height / 2, name.upper(), **style, **quiet)
        for piece in row:
            width = height * piece.aspect
            axes = self.figure.add_axes(
                (
                    left / _WIDTH,
                    1 - (top + height) / self._height,
                    width / _WIDTH,
                    height / self._height,
                )
            )
            axes.imshow(piece.image, interpolation="antialiased", aspect="auto")
            axes.set_axis_off()
            caption = f"{axis} = {piece.millimetres:+.0f} mm"
            self._text(left + width / 2, top + height + 18, caption, fontsize=10, **quiet)
            left += width + _GAP
