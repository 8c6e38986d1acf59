# SPDX-License-Identifier: Apache-2.0
"""Flat-field correction: what the specimen does to light, whatever the lamp, dust and pixels do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bayer
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Flattener:
    """Divides frames by a measured illumination.

    Parameters
    ----------
    dark
        float32 [512, 512], counts with a closed shutter.
    bright
        float32 of the same shape, counts of an empty field at exposure 1.
    """

    def __init__(self, dark: NDArray[np.float32], bright: NDArray[np.float32]) -> None:
        self._dark = dark.copy()
        # A pixel that saw no light in either is dead: it is shown as black, not as infinite.
        light = bright - dark
        self._scale = np.divide(1, light, out=np.zeros_like(light), where=light > 1)
        self._pixels = np.empty_like(self._dark)

    def flatten(self, raw: NDArray[np.uint16], exposure: float, out: NDArray[np.float32]) -> None:
        """Turn counts into the share of light that each point lets through.

        Parameters
        ----------
        raw
            uint16 [512, 512]. Only read.
        exposure
            Light of this frame, 1 for that of `bright`.
        out
            float32 [256, 256, 3], written once; noise puts some of it below 0 and above 1.
        """
        np.subtract(raw, self._dark, out=self._pixels)
        self._pixels *= self._scale
        self._pixels *= np.float32(1 / exposure)
        bayer.collect(self._pixels, out)
