# SPDX-License-Identifier: Apache-2.0
"""A slide put together again from overlapping fields, each where the stage says that it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from stage import FIELD

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Canvas:
    """The weighted mean of all fields; the middle of a field weighs most, so that seams vanish.

    Parameters
    ----------
    height, width
        Of the slide, in points.
    """

    def __init__(self, height: int, width: int) -> None:
        self._sum = np.zeros((height, width, 3), np.float32)
        self._weight = np.zeros((height, width, 1), np.float32)
        ramp = np.minimum(np.arange(1, FIELD + 1), np.arange(FIELD, 0, -1)) / (FIELD / 2)
        self._window = np.outer(ramp, ramp).astype(np.float32)[..., None]

    def add(self, field: NDArray[np.float32], x: int, y: int) -> None:
        """Lay a field, float32 [256, 256, 3], with its left upper corner at a place."""
        place = np.s_[y : y + FIELD, x : x + FIELD]
        self._sum[place] += field * self._window
        self._weight[place] += self._window

    @property
    def covered(self) -> float:
        """The share of the slide that was seen."""
        return float((self._weight > 0).mean())

    def picture(self) -> NDArray[np.uint8]:
        """Give the slide so far as uint8 [height, width, 3], black where nothing was seen."""
        mean = self._sum / np.maximum(self._weight, np.float32(1e-6))
        return (np.clip(mean, 0, 1) * 255).round().astype(np.uint8)
