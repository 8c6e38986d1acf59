# SPDX-License-Identifier: Apache-2.0
"""Where the stage goes: overlapping fields that cover each slide, row by row, there and back.

Positions are in points; the camera takes a field of `FIELD` by `FIELD` points. A point of a slide
lies in several fields and in the core of exactly one, so what is found there is counted once.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

SLIDES = ("tissue", "retina")
FIELD = 256
#: Points between neighbouring fields, at most, and how far the stage misses its aim, at most.
PITCH = 168
JITTER = 12


@dataclass(frozen=True)
class Core:
    """The part of a slide that belongs to one field: from `left` and `top` up to the others."""

    left: int
    top: int
    right: int
    bottom: int

    def owns(self, x: NDArray[np.floating], y: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Say for each place on the slide whether it lies in here."""
        return (x >= self.left) & (x < self.right) & (y >= self.top) & (y < self.bottom)


@dataclass(frozen=True)
class Stop:
    """One field of the plan: which it is, and where its left upper corner should be."""

    row: int
    column: int
    x: int
    y: int


class Plan:
    """The fields that cover one slide.

    Parameters
    ----------
    height, width
        Of the slide, in points; not below `FIELD`.
    """

    def __init__(self, height: int, width: int) -> None:
        self._limits = (width - FIELD, height - FIELD)
        self._columns, self._rows = _corners(width), _corners(height)
        self._across, self._down = _borders(self._columns, width), _borders(self._rows, height)

    def __len__(self) -> int:
        return len(self._rows) * len(self._columns)

    def __iter__(self) -> Iterator[Stop]:
        for row, y in enumerate(self._rows):
            line = [Stop(row, column, x, y) for column, x in enumerate(self._columns)]
            yield from reversed(line) if row % 2 else line

    def core(self, row: int, column: int) -> Core:
        """Give what belongs to a field, wherever the stage put it."""
        (left, right), (top, bottom) = self._across[column], self._down[row]
        return Core(left, top, right, bottom)

    def arrive(self, stop: Stop, random: np.random.Generator) -> tuple[int, int]:
        """Give where the stage comes to rest when it aims at a field, as x and y.

        At the rim of the slide it rests against its end stop.
        """
        miss = random.integers(-JITTER, JITTER, 2, endpoint=True)
        return (
            stop.x + int(miss[0]) if 0 < stop.x < self._limits[0] else stop.x,
            stop.y + int(miss[1]) if 0 < stop.y < self._limits[1] else stop.y,
        )


def _corners(length: int) -> list[int]:
    count = -(-(length - FIELD) // PITCH) + 1
    return [int(corner) for corner in np.linspace(0, length - FIELD, count).round()]


def _borders(corners: Sequence[int], length: int) -> list[tuple[int, int]]:
    between = [(one + other + FIELD) // 2 for one, other in pairwise(corners)]
    return list(pairwise([0, *between, length]))
