# SPDX-License-Identifier: Apache-2.0
"""A NIfTI scan on disk, decoded straight into memory that somebody else provides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np
from nibabel.arrayproxy import ArrayProxy
from nibabel.openers import ImageOpener

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_SLICES = 8


class Scan:
    """The header of a three-dimensional NIfTI file; voxels stay on disk until `decode`.

    Parameters
    ----------
    path
        A ``.nii`` or ``.nii.gz`` file.

    Raises
    ------
    ValueError
        The image has not three dimensions.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with ImageOpener(path) as stream:
            self._header = nib.Nifti1Header.from_fileobj(stream)
        if len(self.shape) != 3:
            raise ValueError(f"{path.name} has {len(self.shape)} dimensions, expected 3")

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along x, y and z."""
        return tuple(self._header.get_data_shape())

    @property
    def affine(self) -> NDArray[np.float64]:
        """float64 [4, 4], from voxel indices to millimetres."""
        return np.asarray(self._header.get_best_affine(), np.float64)

    @property
    def description(self) -> str:
        """One line for people: file, size and spacing."""
        size = " x ".join(str(length) for length in self.shape)
        spacing = " x ".join(f"{length:g}" for length in self._header.get_zooms())
        return f"{self._path.name}, {size} voxels of {spacing} mm"

    def decode(self, out: NDArray[np.float32]) -> None:
        """Decode all voxels into `out`, with the scaling of the header applied.

        Parameters
        ----------
        out
            float32 of the scan's shape.

        Notes
        -----
        A few slices at a time are decompressed; the volume never exists a second time. Slices are
        taken in groups because in a row-major array neighbours along z share a cache line.
        """
        with ImageOpener(self._path) as stream:
            voxels = ArrayProxy(stream, self._header)
            for first in range(0, self.shape[2], _SLICES):
                out[..., first : first + _SLICES] = voxels[..., first : first + _SLICES]
