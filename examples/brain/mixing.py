# SPDX-License-Identifier: Apache-2.0
"""How the intensities of a T1 volume come about: pure tissues, mixes of two, and noise.

A voxel holds one tissue or a mix of two that touch: CSF with grey, or grey with white. Its
intensity is the same mix of the two pure intensities, plus Gaussian noise. In an averaged
template mixed voxels outnumber pure ones: a plain Gaussian mixture puts the border of white
matter far too high, and this model puts it where the mix is half and half.

The model is fitted to the histogram by expectation maximisation, so the cost of fitting hardly
depends on the size of the volume.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TISSUES = 3
_BINS = 256
_MIX_STEPS = 15
_ROUNDS = 500
_SLAB = 16


@dataclass(frozen=True)
class MixingModel:
    """The fitted mixing model; intensities are in the units of the volume.

    Parameters
    ----------
    means
        float64 [3], intensity of pure CSF, grey and white matter, ascending.
    noise
        Standard deviation of the noise around every mix.
    fractions
        float32 [256, 3], expected share of each tissue in a voxel of each intensity level.
    top
        The intensity of the last level; the first is 0.
    """

    means: NDArray[np.float64]
    noise: float
    fractions: NDArray[np.float32]
    top: float

    def levels(self, volume: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Return the intensity level of each voxel, uint8, in the shape of `volume`."""
        scaled = volume * np.float32((_BINS - 1) / self.top)
        return np.clip(scaled, 0, _BINS - 1, out=scaled).astype(np.uint8)


def fit(volume: NDArray[np.float32]) -> MixingModel:
    """Fit the mixing model to the histogram of the voxels above zero.

    Parameters
    ----------
    volume
        float32 [x, y, z], zero outside the brain. Only read.

    Returns
    -------
    MixingModel
        Means, noise and the table of tissue shares.

    Raises
    ------
    ValueError
        `volume` has no voxel above zero, or a single intensity.
    """
    top = float(volume.max())
    counts = np.zeros(_BINS)
    if top > 0:
        for first in range(0, len(volume), _SLAB):
            slab = volume[first : first + _SLAB]
            counts += np.histogram(slab, _BINS, (0, top))[0] - _zeros_in_first_bin(slab)
    if np.count_nonzero(counts) < _TISSUES:
        raise ValueError("the volume has no brain: fewer than three intensities above zero")
    centres = (np.arange(_BINS) + 0.5) * (top / _BINS)
    means, noise, fractions = _expectation_maximisation(centres, counts)
    return MixingModel(means, noise, fractions.astype(np.float32), top)


def _zeros_in_first_bin(slab: NDArray[np.float32]) -> NDArray[np.float64]:
    zeros = np.zeros(_BINS)
    zeros[0] = slab.size - np.count_nonzero(slab)
    return zeros


def _mixes() -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return the tissue shares of every component, [n, 3], and the family each belongs to."""
    shares = [*np.eye(_TISSUES)]
    family = [*range(_TISSUES)]
    for lower in range(_TISSUES - 1):
        for step in (np.arange(_MIX_STEPS) + 0.5) / _MIX_STEPS:
            mix = np.zeros(_TISSUES)
            mix[lower], mix[lower + 1] = 1 - step, step
            shares.append(mix)
            family.append(_TISSUES + lower)
    return np.array(shares), np.array(family)


def _expectation_maximisation(
    centres: NDArray[np.float64], counts: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float, NDArray[np.float64]]:
    shares, family = _mixes()
    members = np.bincount(family)
    weights = np.full(len(members), 1 / len(members))
    means = _means_of_clusters(centres, counts)
    noise = (means[-1] - means[0]) / 10
    total = counts.sum()
    for _ in range(_ROUNDS):
        distance = (centres[:, None] - shares @ means) / noise
        belief = (weights / members)[family] * np.exp(-0.5 * distance**2)
        belief /= np.maximum(belief.sum(1, keepdims=True), np.finfo(float).tiny)
        mass = belief * counts[:, None]
        per_mix = mass.sum(0)
        before = means
        means = np.linalg.solve(
            shares.T @ (shares * per_mix[:, None]), shares.T @ (mass * centres[:, None]).sum(0)
        )
        noise = np.sqrt((mass * (centres[:, None] - shares @ means) ** 2).sum() / total)
        weights = np.bincount(family, per_mix) / total
        if np.abs(means - before).max() < 1e-4 * noise:
            break
    return means, float(noise), _shares_per_level(centres, means, belief @ shares)


def _means_of_clusters(
    centres: NDArray[np.float64], counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return where k-means on the histogram settles, from quantiles that spread the classes."""
    cumulative = np.cumsum(counts) / counts.sum()
    means = centres[np.searchsorted(cumulative, (0.02, 0.5, 0.98))]
    for _ in range(100):
        nearest = np.abs(centres[:, None] - means).argmin(1)
        mass = np.bincount(nearest, counts, _TISSUES)
        means = np.bincount(nearest, counts * centres, _TISSUES) / np.maximum(mass, 1)
    return means


def _shares_per_level(
    centres: NDArray[np.float64], means: NDArray[np.float64], shares: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Make levels beyond the outer means pure: far in a tail the components' sums underflow."""
    shares[centres <= means[0]] = np.eye(_TISSUES)[0]
    shares[centres >= means[-1]] = np.eye(_TISSUES)[-1]
    return shares
