# SPDX-License-Identifier: Apache-2.0
"""Nuclei and vessels in fields that were drawn, so that one knows what is there."""

from __future__ import annotations

import numpy as np
import pytest
from nuclei import find_nuclei
from skimage.color import hed_from_rgb, rgb_from_hed
from vessels import find_vessels

SHAPE = (256, 256)
NUCLEI = [(60, 60, 30, 16, 0.0), (150, 70, 28, 14, 0.8), (80, 170, 26, 18, -0.6),
          (190, 180, 30, 12, 1.4)]  # fmt: skip


def grid():
    return np.meshgrid(np.arange(256.0), np.arange(256.0))


def soft(distance):
    return 1 / (1 + np.exp(distance))


@pytest.fixture(scope="module")
def field():
    """Four nuclei, of which those in the upper half lie in brown cells."""
    x, y = grid()
    blue, brown = np.full(SHAPE, 0.05), np.where(y < 128, 0.4, 0.0)
    for at_x, at_y, length, width, angle in NUCLEI:
        along = (x - at_x) * np.cos(angle) + (y - at_y) * np.sin(angle)
        across = (y - at_y) * np.cos(angle) - (x - at_x) * np.sin(angle)
        inside = soft(8 * (np.hypot(2 * along / length, 2 * across / width) - 1))
        blue += 0.35 * inside
        brown *= 1 - 0.5 * inside
    density = np.stack([blue, np.zeros(SHAPE), brown], axis=-1) @ rgb_from_hed
    noise = np.random.default_rng(2).normal(0, 0.01, (*SHAPE, 3))
    return (10**-density + noise).astype(np.float32)


def test_stains_are_told_apart():
    assert np.allclose(rgb_from_hed @ hed_from_rgb, np.eye(3), atol=1e-6)


def test_nuclei_are_found_where_they_are(field):
    found = find_nuclei(field)
    found = found[np.lexsort((found[:, 0], found[:, 1] > 128))]
    assert len(found) == len(NUCLEI)
    for one, (x, y, length, width, angle) in zip(found, NUCLEI, strict=True):
        assert one[:2] == pytest.approx((x, y), abs=1.5)
        assert one[2] == pytest.approx(length, rel=0.3)
        assert one[3] == pytest.approx(width, rel=0.45)
        assert abs(np.sin(one[4] - angle)) < 0.25
    assert found[:, 5].tolist() == [1, 1, 0, 0]


def test_empty_field_has_no_nuclei():
    noise = np.random.default_rng(3).normal(0.95, 0.01, (*SHAPE, 3))
    assert find_nuclei(noise.astype(np.float32)).shape == (0, 6)


@pytest.fixture
def retina():
    """A round retina with one straight vessel, 7 points wide, that rises to the right."""
    x, y = grid()
    green = np.where(np.hypot(x - 128, y - 128) < 110, 0.4, 0.02)
    across = (y - 128) * np.cos(0.5) + (x - 128) * np.sin(0.5)
    green *= 1 - 0.3 * np.exp(-0.5 * (across / 3.5) ** 2)
    green += np.random.default_rng(4).normal(0, 0.004, SHAPE)
    return np.stack([green, green, green], axis=-1).astype(np.float32)


def test_vessel_is_followed_along_its_middle(retina):
    found = find_vessels(retina)
    across = (found[:, 1] - 128) * np.cos(0.5) + (found[:, 0] - 128) * np.sin(0.5)
    assert np.percentile(np.abs(across), 95) < 1.5
    assert found[:, 2].sum() == pytest.approx(200, abs=25)
    assert np.median(np.abs(np.sin(found[:, 4] + 0.5))) < 0.1
    assert np.median(found[:, 3]) > 5


def test_rim_of_the_retina_is_no_vessel():
    x, y = grid()
    bare = np.where(np.hypot(x - 128, y - 128)[..., None] < 110, 0.4, 0.02) * np.ones(3)
    bare += np.random.default_rng(5).normal(0, 0.004, bare.shape)
    assert find_vessels(bare.astype(np.float32)).shape == (0, 6)


def test_black_field_has_no_vessels():
    assert find_vessels(np.zeros((*SHAPE, 3), np.float32)).shape == (0, 6)
