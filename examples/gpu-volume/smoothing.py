# SPDX-License-Identifier: Apache-2.0
"""The smoothing of the brain example's `denoising`, for whole volumes and any array library.

``xp`` is `cupy` or `numpy`, ``ndimage`` is that of `cupyx.scipy` or `scipy`. Nothing here is
specific to a device, so that its results can be compared with the original's anywhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_TINY = np.float32(1e-12)


def noise_level(volume: Any, *, xp: Any, ndimage: Any) -> float:
    """Estimate the standard deviation of the noise, as `denoising.noise_level` does.

    Parameters
    ----------
    volume
        float32 [x, y, z], zero outside the brain. Every fourth slice is looked at.

    Returns
    -------
    float
        In the units of the volume. Waits for the device.
    """
    planes = volume[::4]
    rows = planes[:, :-2] - 2 * planes[:, 1:-1] + planes[:, 2:]
    both = rows[:, :, :-2] - 2 * rows[:, :, 1:-1] + rows[:, :, 2:]
    inside = ndimage.minimum_filter(planes, (1, 3, 3), mode="constant")[:, 1:-1, 1:-1] > 0
    size = xp.abs(both[inside])
    return float(1.4826 * xp.median(size) / 6) if size.size else 0.0


def smooth(
    volume: Any, out: Any, *, xp: Any, ndimage: Any, noise: float | None = None, radius: int = 1
) -> float:
    """Smooth `volume` into `out`, as `denoising.denoise` does.

    Parameters
    ----------
    volume
        float32 [x, y, z], zero outside the brain. Only read.
    out
        float32 of the same shape; zero where `volume` is zero.
    noise
        Standard deviation of the noise; ``None`` estimates it.
    radius
        Half the edge of the box, in voxels.

    Returns
    -------
    float
        The noise level that was used.
    """
    sigma = noise_level(volume, xp=xp, ndimage=ndimage) if noise is None else noise
    size = 2 * radius + 1

    def box(array: Any) -> Any:
        return ndimage.uniform_filter(array, size, output=np.float32, mode="constant")

    inside = (volume > 0).astype(np.float32)
    count = xp.maximum(box(inside), np.float32(1e-6))
    mean = box(volume) / count
    variance = xp.maximum(box(volume * volume) / count - mean * mean, 0)
    keep = 1 - xp.minimum(np.float32(sigma * sigma) / xp.maximum(variance, _TINY), 1)
    base = (mean - keep * mean) * inside
    keep *= inside
    out[...] = (box(keep) * volume + box(base)) / count * inside
    return sigma
