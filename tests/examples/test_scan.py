# SPDX-License-Identifier: Apache-2.0
"""Decoding NIfTI files straight into given memory."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from scan import Scan

SHAPE = (12, 9, 21)
AFFINE = np.array([[-2.0, 0, 0, 5], [0, 1.5, 0, -7], [0, 0, 3.0, 9], [0, 0, 0, 1]])


def decoded(path):
    scan = Scan(path)
    voxels = np.full(scan.shape, np.nan, np.float32)
    scan.decode(voxels)
    return voxels


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("dtype", ["uint8", "<i2", ">i2", ">f4"])
def test_voxels_are_those_that_nibabel_reads(tmp_path, dtype, suffix):
    numbers = np.random.default_rng(1).integers(0, 200, SHAPE).astype(dtype)
    path = tmp_path / f"scan{suffix}"
    header = nib.Nifti1Header(endianness=">" if dtype.startswith(">") else "<")
    nib.Nifti1Image(numbers, AFFINE, header).to_filename(path)
    assert np.array_equal(decoded(path), numbers)


def test_scaling_of_the_header_is_applied(tmp_path):
    numbers = np.random.default_rng(2).normal(100, 30, SHAPE).astype(np.float32)
    image = nib.Nifti1Image(numbers, AFFINE)
    image.set_data_dtype(np.int16)  # Makes nibabel write a slope and an intercept.
    path = tmp_path / "scaled.nii.gz"
    image.to_filename(path)
    assert Scan(path)._header.get_slope_inter()[0] not in {None, 1}
    np.testing.assert_allclose(decoded(path), numbers, atol=0.01)


def test_affine_and_description_come_from_the_header(tmp_path):
    path = tmp_path / "head.nii"
    nib.Nifti1Image(np.zeros(SHAPE, np.uint8), AFFINE).to_filename(path)
    scan = Scan(path)
    assert np.array_equal(scan.affine, AFFINE)
    assert scan.affine.dtype == np.float64
    assert scan.description == "head.nii, 12 x 9 x 21 voxels of 2 x 1.5 x 3 mm"


def test_series_of_volumes_is_refused(tmp_path):
    path = tmp_path / "series.nii"
    nib.Nifti1Image(np.zeros((4, 4, 4, 2), np.uint8), AFFINE).to_filename(path)
    with pytest.raises(ValueError, match=r"series\.nii has 4 dimensions, expected 3"):
        Scan(path)


def test_truncated_file_is_not_taken_for_a_scan(tmp_path):
    path = tmp_path / "cut.nii.gz"
    numbers = np.random.default_rng(3).integers(0, 200, SHAPE).astype(np.uint8)
    nib.Nifti1Image(numbers, AFFINE).to_filename(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises((EOFError, OSError, ValueError)):
        decoded(path)
