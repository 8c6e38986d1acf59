# SPDX-License-Identifier: Apache-2.0
"""Overlap, and labels made from probability maps."""

from __future__ import annotations

import numpy as np
from dice import dice, dice_per_tissue, reference_labels


def test_overlap_goes_from_nothing_to_all():
    one = np.array([True, True, False, False])
    assert dice(one, one) == 1
    assert dice(one, ~one) == 0
    assert dice(one, np.array([True, False, False, False])) == 2 / 3


def test_two_empty_masks_agree():
    nothing = np.zeros(3, bool)
    assert dice(nothing, nothing) == 1


def test_reference_is_the_likeliest_tissue_inside_the_brain():
    brain = np.array([True, True, True, True, False])
    grey = np.array([0.7, 0.2, 0.1, 0.3, 0.9], np.float32)
    white = np.array([0.1, 0.6, 0.1, 0.3, 0.0], np.float32)
    assert reference_labels(brain, grey, white).tolist() == [2, 3, 1, 1, 0]


def test_each_tissue_is_judged_for_itself():
    labels = np.array([1, 1, 2, 2, 3, 0], np.uint8)
    reference = np.array([1, 2, 2, 2, 3, 3], np.uint8)
    assert dice_per_tissue(labels, reference) == {"csf": 0.6667, "grey": 0.8, "white": 0.6667}
