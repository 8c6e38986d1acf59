# SPDX-License-Identifier: Apache-2.0
"""Nuclei in tissue that is stained blue with haematoxylin and, where a protein is, brown with DAB.

What two stains take away from light adds up in its logarithm, so three colours give the amount of
each (Ruifrok and Johnston, 2001). A nucleus is a place with more haematoxylin than around it; of
those that touch, each keeps what lies nearer to its own middle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from skimage import color, feature, segmentation

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Smoothing, what counts as around, and the least distance of two nuclei, in points.
_FINE = 2.2
_WIDE = 11.0
_APART = 7
#: How much more haematoxylin than around there is in a nucleus, and in its middle.
_BORDER = 0.015
_MIDDLE = 0.035
#: Square points.
_SMALLEST = 100
#: Haematoxylin in the middle of any nucleus.
_LEAST = 0.15
#: DAB around a nucleus whose cell has the protein.
_BROWN = 0.12
_DARKEST = 0.02


def stains(colours: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Give the amounts of haematoxylin and DAB in each point.

    Parameters
    ----------
    colours
        float32 [rows, columns, 3], the share of light let through.

    Returns
    -------
    tuple of numpy.ndarray
        float32 [rows, columns] each, in optical density.
    """
    density = -np.log10(np.maximum(colours, np.float32(_DARKEST)))
    amounts = density @ color.hed_from_rgb.astype(np.float32)
    return amounts[..., 0], amounts[..., 2]


def find_nuclei(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """Find the nuclei of one field.

    Parameters
    ----------
    colours
        float32 [rows, columns, 3]. Only read.

    Returns
    -------
    numpy.ndarray
        float32 [nuclei, 6]: x and y of the middle in points of the field, length and width of the
        ellipse with the same spread, its angle from the x axis towards y in radians, and 1 where
        the cell around it is brown, else 0.
    """
    blue, brown = stains(colours)
    smooth = ndimage.gaussian_filter(blue, _FINE)
    excess = smooth - ndimage.gaussian_filter(blue, _WIDE)
    middles = feature.peak_local_max(
        ndimage.gaussian_filter(excess, 2.5), min_distance=_APART, threshold_abs=_MIDDLE
    )
    seeds = np.zeros(excess.shape, np.int32)
    seeds[tuple(middles.T)] = np.arange(1, len(middles) + 1)
    labels = segmentation.watershed(-excess, seeds, mask=excess > _BORDER)
    around = ndimage.gaussian_filter(brown, 7)
    ellipses = _ellipses(labels, len(middles))
    row, column = ellipses[:, 1].round().astype(int), ellipses[:, 0].round().astype(int)
    is_nucleus = (ellipses[:, 5] >= _SMALLEST) & (smooth[row, column] > _LEAST)
    ellipses[:, 5] = around[row, column] > _BROWN
    return ellipses[is_nucleus]


def _ellipses(labels: NDArray[np.int32], count: int) -> NDArray[np.float32]:
    """Give x, y, length, width, angle and area of each label that has an area."""
    y, x = np.nonzero(labels)
    of = labels[y, x] - 1

    def mean(values: NDArray[np.integer]) -> NDArray[np.float64]:
        return np.bincount(of, values, count)[present] / area[present]

    area = np.bincount(of, minlength=count)
    present = area > 0
    at_x, at_y = mean(x), mean(y)
    xx, yy = mean(x * x) - at_x**2 + 1 / 12, mean(y * y) - at_y**2 + 1 / 12
    xy = mean(x * y) - at_x * at_y
    half, skew = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    length, width = 4 * np.sqrt(half + skew), 4 * np.sqrt(np.maximum(half - skew, 0))
    angle = 0.5 * np.arctan2(2 * xy, xx - yy)
    return np.stack([at_x, at_y, length, width, angle, area[present]], axis=1).astype(np.float32)
