# SPDX-License-Identifier: Apache-2.0
"""Edge-preserving smoothing of a skull-stripped volume.

Each small box of voxels is a weighted sum of its mean and of the voxels themselves, weighted by
the share of its contrast that is more than noise (Lee, 1980). A voxel gets the average of what
the boxes around it propose, as in a guided filter (He, Sun and Tang, 2013). The noise is
estimated from the volume. Means count brain voxels only, so the border of the brain stays bright.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SLAB = 12


def noise_level(volume: NDArray[np.float32]) -> float:
    """Estimate the standard deviation of the noise from how voxels differ from their neighbours.

    Parameters
    ----------
    volume
        float32 [x, y, z], zero outside the brain. Only read; every fourth slice is looked at.

    Returns
    -------
    float
        In the units of the volume; 0 when no voxel has all its neighbours inside the brain.

    Notes
    -----
    Second differences along two axes at once cancel edges along either (Immerkaer, 1996), and the
    median of their size hardly sees the few that are left. Noise of variance 1 makes 36.
    """
    sizes = []
    for plane in volume[::4]:
        rows = plane[:-2] - 2 * plane[1:-1] + plane[2:]
        both = rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:]
        inside = ndimage.minimum_filter(plane, 3, mode="constant")[1:-1, 1:-1] > 0
        sizes.append(np.abs(both[inside]))
    size = np.concatenate(sizes)
    return float(1.4826 * np.median(size) / 6) if size.size else 0.0


def denoise(
    volume: NDArray[np.float32],
    out: NDArray[np.float32],
    *,
    noise: float | None = None,
    radius: int = 1,
) -> float:
    """Smooth `volume` into `out`, slab by slab.

    Parameters
    ----------
    volume
        float32 [x, y, z], zero outside the brain. Only read.
    out
        float32 of the same shape, written once; zero where `volume` is zero.
    noise
        Standard deviation of the noise; ``None`` estimates it.
    radius
        Half the edge of the box, in voxels.

    Returns
    -------
    float
        The noise level that was used.

    Raises
    ------
    ValueError
        `out` has another shape.

    Notes
    -----
    Working memory is that of a few slabs of slices, whatever the size of the volume.
    """
    if out.shape != volume.shape:
        raise ValueError(f"out must have shape {volume.shape}, not {out.shape}")
    sigma = noise_level(volume) if noise is None else noise
    halo = 2 * radius
    for first in range(0, len(volume), _SLAB):
        last = min(first + _SLAB, len(volume))
        begin, end = max(first - halo, 0), min(last + halo, len(volume))
        smooth = _guided(volume[begin:end], sigma, 2 * radius + 1)
        out[first:last] = smooth[first - begin : last - begin]
    return sigma


def _guided(slab: NDArray[np.float32], sigma: float, size: int) -> NDArray[np.float32]:
    inside = (slab > 0).astype(np.float32)
    count = np.maximum(_box(inside, size), np.float32(1e-6))
    mean = _box(slab, size) / count
    variance = np.maximum(_box(slab * slab, size) / count - mean * mean, 0)
    keep = 1 - np.minimum(np.float32(sigma * sigma) / np.maximum(variance, np.float32(1e-12)), 1)
    base = (mean - keep * mean) * inside
    keep *= inside
    smooth = (_box(keep, size) * slab + _box(base, size)) / count
    return smooth * inside


def _box(array: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    return ndimage.uniform_filter(array, size, output=np.float32, mode="constant")
