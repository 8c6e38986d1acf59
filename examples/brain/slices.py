# SPDX-License-Identifier: Apache-2.0
"""Slices of a volume with its tissue labels over them, as arrays of colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np
import palette
from matplotlib.colors import to_rgb
from scipy import ndimage
from tissue import LABELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_PIXELS_PER_MILLIMETRE = 2
_FILL = 0.5


@dataclass(frozen=True)
class Slice:
    """A picture of one slice.

    Parameters
    ----------
    image
        float32 [rows, columns, 3], colours from 0 to 1.
    millimetres
        Where the slice cuts its axis.
    """

    image: NDArray[np.float32]
    millimetres: float

    @property
    def aspect(self) -> float:
        """Width over height."""
        return self.image.shape[1] / self.image.shape[0]


class LabelledVolume:
    """A volume and its labels, seen upright: x to the right, y to the front, z up.

    Parameters
    ----------
    volume
        float32 [x, y, z], zero outside the brain. Only read, never copied.
    labels
        uint8 of the same shape, the values of `tissue.LABELS`, at least one above 0.
    affine
        float64 [4, 4], from voxel indices to millimetres.
    """

    def __init__(
        self, volume: NDArray[np.float32], labels: NDArray[np.uint8], affine: NDArray[np.float64]
    ) -> None:
        # Turning an array upright permutes and flips its axes: both stay views.
        turn = nib.orientations.io_orientation(affine)
        self._volume = nib.orientations.apply_orientation(volume, turn)
        self._labels = nib.orientations.apply_orientation(labels, turn)
        self._affine = affine @ nib.orientations.inv_ornt_aff(turn, volume.shape)
        self._spacing = nib.affines.voxel_sizes(self._affine)
        self._brain = ndimage.find_objects((self._labels > 0).view(np.uint8))[0]
        inside = self._volume[self._brain][self._labels[self._brain] > 0]
        self._window = np.percentile(inside, (0.5, 99.5))

    def cut(self, axis: int, shares: Sequence[float]) -> list[Slice]:
        """Draw slices across `axis`; the left half of the brain shows the bare scan.

        Parameters
        ----------
        axis
            0 for sagittal, 1 for coronal, 2 for axial slices.
        shares
            Where to cut, from 0 to 1 along the brain.

        Returns
        -------
        list of Slice
            At two pixels per millimetre, top of the head or forehead up.
        """
        first, last = self._brain[axis].start, self._brain[axis].stop - 1
        return [self._cut(axis, round(first + share * (last - first))) for share in shares]

    def _cut(self, axis: int, index: int) -> Slice:
        at = list(self._brain)
        at[axis] = index
        scale = np.delete(self._spacing, axis) * _PIXELS_PER_MILLIMETRE
        plane = ndimage.zoom(self._volume[tuple(at)], scale, order=1)
        labels = _enlarge_labels(self._labels[tuple(at)], scale)
        shown = np.zeros(plane.shape, bool)
        left, right = self._brain[0].start, self._brain[0].stop - 1
        shown[len(plane) // 2 if axis else 0 :] = axis != 0 or index > (left + right) / 2
        black, white = self._window
        image = composite((plane - black) / (white - black), labels, shown)
        position = self._affine[axis, axis] * index + self._affine[axis, 3]
        return Slice(np.rot90(image), float(position))


def composite(
    plane: NDArray[np.float32], labels: NDArray[np.uint8], shown: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Lay tissue colours over a slice, see-through inside and nearly solid along the borders.

    Parameters
    ----------
    plane
        float32 [rows, columns], brightness; below 0 is black, above 1 white.
    labels
        uint8 of the same shape. Where 0, the picture has the colour of the page.
    shown
        bool of the same shape; elsewhere the brain stays grey.

    Returns
    -------
    numpy.ndarray
        float32 [rows, columns, 3], from 0 to 1.
    """
    image = np.empty((*plane.shape, 3), np.float32)
    image[:] = to_rgb(palette.GROUND)
    grey = np.clip(plane, 0, 1)[..., None]
    image[labels > 0] = grey[labels > 0]
    for name, value in LABELS.items():
        colour = np.asarray(to_rgb(palette.TISSUES[name]), np.float32)
        whole = labels == value
        region = whole & shown
        border = region & ~ndimage.binary_erosion(whole)
        image[region] += _FILL * (colour * (0.7 + 0.3 * grey[region]) - image[region])
        image[border] += 0.7 * (colour * (0.8 + 0.2 * grey[border]) - image[border])
    return image


def _enlarge_labels(labels: NDArray[np.uint8], scale: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Enlarge each class for itself and let the strongest win, so that borders stay smooth."""
    chances = [
        ndimage.zoom((labels == value).astype(np.float32), scale, order=1)
        for value in (0, *LABELS.values())
    ]
    return np.argmax(chances, axis=0).astype(np.uint8)
