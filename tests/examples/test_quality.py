# SPDX-License-Identifier: Apache-2.0
"""The claim of the brain example: Dice above 0.88 on the MNI152 scan, from the scan alone."""

from __future__ import annotations

import denoising
import numpy as np
import tissue
from dice import dice, dice_per_tissue, reference_labels
from scan import Scan


def load(path):
    scan = Scan(path)
    voxels = np.empty(scan.shape, np.float32)
    scan.decode(voxels)
    return voxels


def test_grey_and_white_matter_overlap_their_maps(scans):
    volume = load(scans / "t1.nii.gz")
    smooth, labels = np.empty_like(volume), np.empty(volume.shape, np.uint8)
    denoising.denoise(volume, out=smooth)
    tissue.segment(smooth, out=labels)

    grey, white = load(scans / "grey.nii.gz") / 255, load(scans / "white.nii.gz") / 255
    scores = dice_per_tissue(labels, reference_labels(volume > 0, grey, white))
    assert scores["grey"] > 0.94
    assert scores["white"] > 0.94
    assert scores["csf"] > 0.8
    # The other usual way to make labels of a map gives the same answer.
    assert dice(labels == tissue.LABELS["grey"], grey > 0.5) > 0.94
    assert dice(labels == tissue.LABELS["white"], white > 0.5) > 0.94


def test_a_noisy_scan_is_still_segmented(scans):
    volume = load(scans / "t1.nii.gz")
    brain = volume > 0
    noise = np.random.default_rng(0).normal(0, 10, volume.shape)
    noisy = np.where(brain, np.maximum(volume + noise, 1), 0).astype(np.float32)
    smooth, labels = np.empty_like(volume), np.empty(volume.shape, np.uint8)
    denoising.denoise(noisy, out=smooth)
    tissue.segment(smooth, out=labels)
    grey, white = load(scans / "grey.nii.gz") / 255, load(scans / "white.nii.gz") / 255
    scores = dice_per_tissue(labels, reference_labels(brain, grey, white))
    assert min(scores["grey"], scores["white"]) > 0.88, scores
