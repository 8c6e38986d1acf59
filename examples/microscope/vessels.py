# SPDX-License-Identifier: Apache-2.0
"""Blood vessels of a retina: dark lines in green light, where blood takes the most of it.

Along a dark line the brightness bends upwards across it. The bend is the larger eigenvalue of the
second derivatives, taken at several widths (Frangi and others, 1998, use both eigenvalues); where
it is strong and hangs together, the line is thinned to its middle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from skimage import filters, measure, morphology

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Half widths of vessels that are looked for, in points.
_SCALES = (1.6, 2.6, 4.2)
#: Bends where a vessel certainly is, and where one that is there goes on.
_SURE = 0.05
_MAYBE = 0.026
#: The shortest vessel that counts, in points along its middle.
_SHORTEST = 30
#: Green light below which there is no retina, and how far from there to stay.
_BLACK = 0.06
_RIM = 9


def find_vessels(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """Find the middle lines of the vessels of one field.

    Parameters
    ----------
    colours
        float32 [rows, columns, 3]. Only read.

    Returns
    -------
    numpy.ndarray
        float32 [pieces, 6], one for each point of a middle line: x and y in points of the field,
        length and width of the piece, its angle from the x axis towards y in radians, and its bend.
    """
    green = colours[..., 1]
    retina = ndimage.gaussian_filter(green, 3) > _BLACK
    inside = ndimage.distance_transform_edt(retina) > _RIM if not retina.all() else retina
    if not inside.any():
        return np.empty((0, 6), np.float32)
    # In shares of the light around, a vessel is as dark in the shade as in the light.
    around = ndimage.gaussian_filter(np.where(retina, green, 0), 16)
    weight = ndimage.gaussian_filter(retina.astype(np.float32), 16)
    even = np.where(retina, green * weight / np.maximum(around, 1e-3), 1).astype(np.float32)

    bend, angle, width = _strongest_bend(even)
    bend *= inside
    vessel = filters.apply_hysteresis_threshold(bend, _MAYBE, _SURE)
    middle = morphology.skeletonize(vessel)
    pieces = measure.label(middle, connectivity=2)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    y, x = np.nonzero((sizes >= _SHORTEST)[pieces])
    along = angle[y, x]
    step = 1 / np.maximum(np.abs(np.cos(along)), np.abs(np.sin(along)))
    return np.stack([x, y, step, width[y, x], along, bend[y, x]], axis=1).astype(np.float32)


def _strongest_bend(
    even: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Give for each point the strongest bend, the direction along it, and its width."""
    best, angle, width = (np.zeros_like(even) for _ in range(3))
    for scale in _SCALES:
        smooth = ndimage.gaussian_filter(even, scale, mode="nearest")
        along_y, along_x = np.gradient(smooth)
        yy, xy = np.gradient(along_y)
        xx = np.gradient(along_x, axis=1)
        skew = np.hypot((xx - yy) / 2, xy)
        bend = ((xx + yy) / 2 + skew) * np.float32(scale**1.5)
        wins = bend > best
        best[wins] = bend[wins]
        width[wins] = 2 * scale
        # The bend is largest across the vessel.
        angle[wins] = (0.5 * np.arctan2(2 * xy, xx - yy) + np.pi / 2)[wins]
    return best, angle, width
