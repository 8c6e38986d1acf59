# SPDX-License-Identifier: Apache-2.0
"""Colour on a sensor: each point is seen by two by two pixels behind red, green, green, blue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Row, column and colour of each pixel of a point.
_PIXELS = ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2))


def spread(colours: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Give each pixel the colour that its filter lets through.

    Parameters
    ----------
    colours
        float32 [rows, columns, 3].
    out
        float32 [2 * rows, 2 * columns].
    """
    for row, column, colour in _PIXELS:
        out[row::2, column::2] = colours[..., colour]


def collect(pixels: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Make a colour of each point; green is the mean of its two pixels.

    Parameters
    ----------
    pixels
        float32 [2 * rows, 2 * columns].
    out
        float32 [rows, columns, 3].
    """
    out[..., 0] = pixels[0::2, 0::2]
    np.add(pixels[0::2, 1::2], pixels[1::2, 0::2], out=out[..., 1])
    out[..., 1] *= 0.5
    out[..., 2] = pixels[1::2, 1::2]
