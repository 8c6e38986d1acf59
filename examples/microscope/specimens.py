# SPDX-License-Identifier: Apache-2.0
"""The slides on the stage: photographs of stained tissue and of a retina, as light let through."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from skimage import io, transform
from stage import SLIDES

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

FILES = {"tissue": "tissue.png", "retina": "retina.jpg"}
#: Points of the stage for each pixel of the photograph.
_POINTS = {"tissue": 2, "retina": 1}
#: No slide lets less light through.
_DARKEST = 0.004


def load_slides(folder: Path) -> list[NDArray[np.float32]]:
    """Read the photographs.

    Parameters
    ----------
    folder
        Where `FILES` are.

    Returns
    -------
    list of numpy.ndarray
        float32 [rows, columns, 3] for each of `stage.SLIDES`, from 0.004 to 1.
    """
    return [_load(folder / FILES[name], _POINTS[name]) for name in SLIDES]


def _load(path: Path, points: int) -> NDArray[np.float32]:
    picture = io.imread(path).astype(np.float32) / 255
    if points > 1:
        shape = (picture.shape[0] * points, picture.shape[1] * points, 3)
        picture = transform.resize(picture, shape, order=3, anti_aliasing=False)
    return np.clip(picture, _DARKEST, 1).astype(np.float32)
