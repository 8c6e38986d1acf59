# SPDX-License-Identifier: Apache-2.0
"""Tissue labels of a skull-stripped T1 volume, from its intensities alone.

A voxel's label is the tissue that fills most of it, by the model of `mixing`. A Markov random
field over the six neighbours, relaxed by iterated conditional modes, settles those in doubt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from mixing import MixingModel, fit

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: 0 is background.
LABELS = {"csf": 1, "grey": 2, "white": 3}

_SLAB = 16


def segment(
    volume: NDArray[np.float32],
    out: NDArray[np.uint8],
    *,
    coupling: float = 0.2,
    sweeps: int = 3,
) -> MixingModel:
    """Label every voxel of `volume` into `out`.

    Parameters
    ----------
    volume
        float32 [x, y, z], zero outside the brain. Only read.
    out
        uint8 of the same shape, C-contiguous; receives 0 outside and the values of `LABELS`.
    coupling
        How much one neighbour of the same tissue counts, in units of log probability.
    sweeps
        Passes over the voxels in doubt; 0 labels every voxel by itself.

    Returns
    -------
    MixingModel
        What was fitted.

    Raises
    ------
    ValueError
        `volume` has no voxel above zero or a single intensity, or `out` does not fit.

    Notes
    -----
    Besides `out` it allocates some tens of bytes per voxel in doubt and one slab of slices.
    """
    if out.shape != volume.shape or out.dtype != np.uint8 or not out.flags.c_contiguous:
        raise ValueError(f"out must be C-contiguous uint8 of shape {volume.shape}")
    model = fit(volume)
    evidence = np.log(model.fractions + np.float32(1e-3))
    doubtful = _label_each(volume, model, evidence, reach=6 * coupling, out=out)
    _relax(volume, model, evidence, doubtful, coupling=coupling, sweeps=sweeps, out=out)
    return model


def _label_each(
    volume: NDArray[np.float32],
    model: MixingModel,
    evidence: NDArray[np.float32],
    *,
    reach: float,
    out: NDArray[np.uint8],
) -> NDArray[np.intp]:
    """Label by intensity; return the flat indices of voxels that six neighbours could turn."""
    label_of = (evidence.argmax(1) + 1).astype(np.uint8)
    ranked = np.sort(evidence, axis=1)
    open_of = ranked[:, -1] - ranked[:, -2] < reach
    doubtful = []
    for first in range(0, len(volume), _SLAB):
        slab = volume[first : first + _SLAB]
        level = model.levels(slab)
        inside = slab > 0
        np.multiply(label_of[level], inside, out=out[first : first + _SLAB])
        offset = first * slab[0].size
        doubtful.append(np.flatnonzero(open_of[level] & inside) + offset)
    return _away_from_faces(np.concatenate(doubtful), volume.shape)


def _away_from_faces(sites: NDArray[np.intp], shape: tuple[int, ...]) -> NDArray[np.intp]:
    """Leave out voxels on a face of the volume, which lack a neighbour."""
    inner = np.ones(len(sites), bool)
    for place, size in zip(np.unravel_index(sites, shape), shape, strict=True):
        inner &= (place > 0) & (place < size - 1)
    return sites[inner]


def _relax(
    volume: NDArray[np.float32],
    model: MixingModel,
    evidence: NDArray[np.float32],
    sites: NDArray[np.intp],
    *,
    coupling: float,
    sweeps: int,
    out: NDArray[np.uint8],
) -> None:
    """Give each site the label of highest posterior, black and white voxels in turn."""
    labels = out.reshape(-1)
    steps = np.array(out.strides)
    neighbours = np.concatenate([steps, -steps])
    colour = sum(np.unravel_index(sites, out.shape)) % 2
    turns = [sites[colour == 0], sites[colour == 1]]
    scores = [evidence[model.levels(volume[np.unravel_index(turn, out.shape)])] for turn in turns]
    for _ in range(sweeps):
        for turn, score in zip(turns, scores, strict=True):
            votes = np.zeros_like(score)
            for step in neighbours:
                near = labels[turn + step]
                for tissue in range(len(LABELS)):
                    votes[:, tissue] += near == tissue + 1
            labels[turn] = (score + np.float32(coupling) * votes).argmax(1) + 1
