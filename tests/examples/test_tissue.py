# SPDX-License-Identifier: Apache-2.0
"""The mixing model and the labels that follow from it."""

from __future__ import annotations

import mixing
import numpy as np
import pytest
import tissue
from dice import dice_per_tissue


def segmented(volume, **options):
    labels = np.full(volume.shape, 255, np.uint8)
    tissue.segment(volume, out=labels, **options)
    return labels


@pytest.mark.parametrize("gain", [1, 0.01, 30])
def test_pure_intensities_are_found_whatever_the_scale(phantom, gain):
    model = mixing.fit(phantom.noisy(6) * np.float32(gain))
    np.testing.assert_allclose(model.means / gain, [60, 160, 220], rtol=0.05)
    assert model.noise / gain == pytest.approx(6, rel=0.25)


def test_half_a_mix_is_where_the_label_changes(phantom):
    model = mixing.fit(phantom.noisy(4))
    label = model.fractions.argmax(1)
    levels = np.arange(256) / 255 * model.top
    borders = [levels[label == 1].min(), levels[label == 1].max()]
    np.testing.assert_allclose(borders, [(60 + 160) / 2, (160 + 220) / 2], atol=8)


def test_shares_of_every_level_add_up_to_one(phantom):
    model = mixing.fit(phantom.noisy(3))
    np.testing.assert_allclose(model.fractions.sum(1), 1, atol=1e-5)


def test_tissues_of_a_clean_phantom_are_found(phantom):
    scores = dice_per_tissue(segmented(phantom.noisy(2)), phantom.labels)
    assert min(scores.values()) > 0.95, scores


def test_neighbours_settle_what_noise_leaves_open(phantom):
    noisy = phantom.noisy(22)
    alone = dice_per_tissue(segmented(noisy, sweeps=0), phantom.labels)
    together = dice_per_tissue(segmented(noisy, coupling=0.8), phantom.labels)
    for name in tissue.LABELS:
        assert 1 - together[name] < 0.8 * (1 - alone[name])


def test_every_voxel_of_the_brain_and_no_other_gets_a_label(phantom):
    labels = segmented(phantom.noisy(10))
    assert np.array_equal(labels > 0, phantom.labels > 0)
    assert set(np.unique(labels)) == {0, *tissue.LABELS.values()}


def test_brain_that_touches_the_faces_of_the_volume_is_labelled(phantom):
    box = np.ascontiguousarray(phantom.noisy(5)[12:-12, 12:-12, 12:-12])
    truth = phantom.labels[12:-12, 12:-12, 12:-12]
    labels = segmented(box)
    assert np.array_equal(labels > 0, truth > 0)
    assert np.mean(labels == truth) > 0.9


@pytest.mark.parametrize(
    "volume", [np.zeros((6, 6, 6), np.float32), np.full((6, 6, 6), 9, np.float32)]
)
def test_volume_without_a_brain_is_refused(volume):
    with pytest.raises(ValueError, match="no brain"):
        segmented(volume)


@pytest.mark.parametrize(
    "out",
    [
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((48, 56, 44), np.int16),
        np.zeros((48, 56, 44), np.uint8, order="F"),
    ],
)
def test_output_that_cannot_be_written_in_place_is_refused(phantom, out):
    with pytest.raises(ValueError, match="out must be C-contiguous"):
        tissue.segment(phantom.volume, out=out)
