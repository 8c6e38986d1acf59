# SPDX-License-Identifier: Apache-2.0
"""How well labels agree with tissue probability maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from tissue import LABELS

if TYPE_CHECKING:
    from numpy.typing import NDArray


def reference_labels(
    brain: NDArray[np.bool_], grey: NDArray[np.float32], white: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Turn probability maps into labels: each voxel of the brain gets its likeliest tissue.

    The maps know grey and white matter; what they leave of a brain voxel counts as CSF.

    Parameters
    ----------
    brain
        bool [x, y, z], true inside the brain.
    grey, white
        float32 of the same shape, probabilities from 0 to 1.

    Returns
    -------
    numpy.ndarray
        uint8 of the same shape, 0 outside the brain and the values of `tissue.LABELS`.
    """
    rest = 1 - grey - white
    labels = np.where(grey >= white, LABELS["grey"], LABELS["white"]).astype(np.uint8)
    labels[rest > np.maximum(grey, white)] = LABELS["csf"]
    labels[~brain] = 0
    return labels


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Return twice the common voxels over the sum of both; 1 when both are empty.

    Parameters
    ----------
    one, other
        bool arrays of one shape.

    Returns
    -------
    float
        From 0, nothing in common, to 1, equal.
    """
    total = np.count_nonzero(one) + np.count_nonzero(other)
    return float(2 * np.count_nonzero(one & other) / total) if total else 1.0


def dice_per_tissue(labels: NDArray[np.uint8], reference: NDArray[np.uint8]) -> dict[str, float]:
    """Return the Dice overlap of each tissue of `tissue.LABELS`, rounded to four digits.

    Parameters
    ----------
    labels, reference
        uint8 label volumes of one shape.

    Returns
    -------
    dict
        Tissue name to overlap.
    """
    return {
        name: round(dice(labels == value, reference == value), 4) for name, value in LABELS.items()
    }
