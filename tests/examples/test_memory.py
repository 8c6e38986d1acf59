# SPDX-License-Identifier: Apache-2.0
"""No stage of the brain example holds its input, or its output, a second time."""

from __future__ import annotations

import tracemalloc

import denoising
import numpy as np
import pytest
import tissue
from scan import Scan


def peak_of(work):
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def volume(scans):
    scan = Scan(scans / "t1.nii.gz")
    voxels = np.empty(scan.shape, np.float32)
    scan.decode(voxels)
    voxels.flags.writeable = False  # As an input is.
    return voxels


def test_decoding_needs_a_few_slices(scans):
    scan = Scan(scans / "t1.nii.gz")
    voxels = np.zeros(scan.shape, np.float32)
    assert peak_of(lambda: scan.decode(voxels)) < voxels.nbytes / 10
    assert voxels.max() == 255


def test_denoising_needs_less_than_a_volume(volume):
    out = np.zeros_like(volume)
    assert peak_of(lambda: denoising.denoise(volume, out=out)) < volume.nbytes
    assert out.any()


def test_segmenting_needs_less_than_a_volume(volume):
    labels = np.zeros(volume.shape, np.uint8)
    assert peak_of(lambda: tissue.segment(volume, out=labels)) < volume.nbytes
    assert labels.any()
