# SPDX-License-Identifier: Apache-2.0
"""The montage of slices and the bar plot of stage times."""

from __future__ import annotations

import numpy as np
import palette
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread
from montage import draw_montage
from slices import LabelledVolume, composite
from timeline import StageTime, draw_timeline

SCORES = {"csf": 0.8, "grey": 0.9, "white": 0.95}


def has_colour(image, colour):
    """Say whether a flat patch of the picture has this very colour."""
    return bool((np.abs(image[..., :3] - to_rgb(colour)).max(-1) < 0.01).sum() > 50)


def test_tissues_have_their_colours_and_the_rest_stays_grey():
    labels = np.repeat(np.arange(4, dtype=np.uint8), 8)[:, None] * np.ones((1, 6), np.uint8)
    shown = np.zeros(labels.shape, bool)
    shown[:, 3:] = True
    image = composite(np.full(labels.shape, 0.8, np.float32), labels, shown)
    np.testing.assert_allclose(image[4, 0], to_rgb(palette.GROUND), atol=1e-6)
    for value, name in enumerate(palette.TISSUES, start=1):
        row = value * 8 + 4
        np.testing.assert_allclose(image[row, 0], 0.8, atol=1e-6)
        # The overlay leans the pixel towards the tissue's strongest channel.
        assert image[row, 4].argmax() == np.argmax(to_rgb(palette.TISSUES[name]))
        assert np.ptp(image[row, 4]) > 0.1


def test_slices_are_upright_whatever_the_orientation_on_disk(phantom):
    marked = phantom.volume.copy()
    marked[:, -20:, :] *= 0.3  # The front is dark.
    upright = LabelledVolume(marked, phantom.labels, np.eye(4))
    turned = np.array([[0, -1, 0, 47], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]])
    # Stored as (z, -x, y).
    stored = LabelledVolume(
        marked.transpose(2, 0, 1)[:, ::-1], phantom.labels.transpose(2, 0, 1)[:, ::-1], turned
    )
    for axis in range(3):
        (one,), (other,) = upright.cut(axis, [0.4]), stored.cut(axis, [0.4])
        np.testing.assert_allclose(one.image, other.image, atol=1e-5)
        assert one.millimetres == other.millimetres


def test_left_half_shows_the_bare_scan(phantom):
    (axial,) = LabelledVolume(phantom.volume, phantom.labels, np.eye(4)).cut(2, [0.5])
    middle = axial.image.shape[1] // 2
    inside = axial.image.mean(-1) > 0.2
    colourful = np.ptp(axial.image, axis=-1) > 0.05
    assert not (colourful & inside)[:, : middle - 1].any()
    assert (colourful & inside)[:, middle + 1 :].any()


def test_voxels_that_are_not_cubes_keep_their_proportions(phantom):
    (sagittal,) = LabelledVolume(phantom.volume, phantom.labels, np.diag([1, 1, 3, 1.0])).cut(
        0, [0.5]
    )
    (cube,) = LabelledVolume(phantom.volume, phantom.labels, np.eye(4)).cut(0, [0.5])
    assert cube.aspect == pytest.approx(3 * sagittal.aspect, rel=0.03)


def test_montage_is_a_page_with_all_tissues(phantom, tmp_path):
    path = tmp_path / "montage.png"
    draw_montage(path, LabelledVolume(phantom.volume, phantom.labels, np.eye(4)), SCORES, "phantom")
    image = imread(path)
    assert image.shape[1] == 1920
    assert image.shape[0] > 800
    for colour in (palette.GROUND, palette.PANEL, *palette.TISSUES.values()):
        assert has_colour(image, colour)


def test_bars_are_as_long_as_the_stages_worked(tmp_path):
    path = tmp_path / "timeline.png"
    draw_timeline(path, [StageTime("one", 100, 101, 0.5), StageTime("two", 101, 103, 2)])
    image = imread(path)
    one, two = (
        (np.abs(image[..., :3] - to_rgb(colour)).max(-1) < 0.01).any(0).nonzero()[0]
        for colour in palette.STAGES[:2]
    )
    assert np.ptp(two) == pytest.approx(2 * np.ptp(one), rel=0.02)
    assert two[0] == pytest.approx(one[-1], abs=3)
