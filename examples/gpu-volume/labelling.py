# SPDX-License-Identifier: Apache-2.0
"""The labels of the brain example's `tissue`, for whole volumes and any array library.

The model is fitted to every eighth voxel, by the brain example's `mixing` and on the host: it needs
the histogram only. ``xp`` and ``ndimage`` are as in `smoothing`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import brain  # noqa: F401 - finds the next ones
import numpy as np
from mixing import fit
from tissue import LABELS

if TYPE_CHECKING:
    from collections.abc import Callable

_CROSS = np.zeros((3, 3, 3), np.float32)
for _axis in range(3):
    for _end in (0, 2):
        _CROSS[tuple(_end if axis == _axis else 1 for axis in range(3))] = 1


def label(
    volume: Any,
    out: Any,
    *,
    xp: Any,
    ndimage: Any,
    to_host: Callable[[Any], Any],
    coupling: float = 0.2,
    sweeps: int = 3,
) -> None:
    """Label every voxel of `volume` into `out`.

    Parameters
    ----------
    volume
        float32 [x, y, z], zero outside the brain. Only read.
    out
        uint8 of the same shape; receives 0 outside and the values of `tissue.LABELS`.
    to_host
        Copies an array to the host: `cupy.asnumpy`, or `numpy.asarray`.
    coupling, sweeps
        As for `tissue.segment`.
    """
    model = fit(to_host(volume[::2, ::2, ::2]))
    evidence = xp.asarray(np.log(model.fractions + np.float32(1e-3)))
    scaled = volume * np.float32((len(model.fractions) - 1) / model.top)
    levels = xp.clip(scaled, 0, len(model.fractions) - 1).astype(np.uint8)
    inside = volume > 0
    scores = [evidence[:, tissue][levels] for tissue in range(len(LABELS))]
    out[...] = _best(scores, xp) * inside

    cross = xp.asarray(_CROSS)
    x, y, z = (xp.arange(length).reshape(shape) for length, shape in _axes(volume.shape))
    colours = (x + y + z) % 2
    for _ in range(sweeps):
        for colour in (0, 1):
            posterior = [
                score
                + np.float32(coupling)
                * ndimage.convolve((out == value).astype(np.float32), cross, mode="constant")
                for value, score in zip(LABELS.values(), scores, strict=True)
            ]
            out[...] = xp.where((colours == colour) & inside, _best(posterior, xp), out)


def _best(scores: list[Any], xp: Any) -> Any:
    return (xp.stack(scores).argmax(0) + 1).astype(np.uint8)


def _axes(shape: tuple[int, ...]) -> list[tuple[int, tuple[int, ...]]]:
    """Give the length of each axis, with the shape that lays it along that axis."""
    return [
        (length, tuple(length if i == axis else 1 for i in range(len(shape))))
        for axis, length in enumerate(shape)
    ]
