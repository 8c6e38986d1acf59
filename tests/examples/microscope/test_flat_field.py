# SPDX-License-Identifier: Apache-2.0
"""What the microscope does to a scene, and what the flat field undoes."""

from __future__ import annotations

import bayer
import numpy as np
import pytest
from calibrate import average
from flattening import Flattener
from optics import FULL, SENSOR, Microscope
from stage import FIELD


@pytest.fixture(scope="module")
def microscope():
    return Microscope(3)


@pytest.fixture(scope="module")
def flattener(microscope):
    random = np.random.default_rng(4)
    return Flattener(average(microscope, 0.0, random), average(microscope, 1.0, random))


@pytest.fixture
def scene():
    """Stripes of all shades, another colour for each third."""
    shades = np.linspace(0.05, 1, FIELD, dtype=np.float32)[None, :, None]
    return shades * np.array([1, 0.8, 0.6], np.float32) * np.ones((FIELD, 1, 1), np.float32)


def take(microscope, scene, exposure=1.0):
    raw = np.empty(SENSOR, np.uint16)
    microscope.expose(scene, exposure, np.random.default_rng(5), raw)
    return raw


def test_empty_field_is_uneven_and_fills_the_range(microscope):
    raw = take(microscope, None)
    assert raw.max() <= FULL
    assert np.percentile(raw, 99.9) > 2 * FULL / 3
    assert np.percentile(raw, 5) < np.percentile(raw, 95) / 2


@pytest.mark.parametrize("exposure", [0.9, 1.0, 1.1])
def test_scene_comes_back(microscope, flattener, scene, exposure):
    raw = take(microscope, scene, exposure)
    flat = np.empty((FIELD, FIELD, 3), np.float32)
    flattener.flatten(raw, exposure, flat)
    assert np.abs(flat - scene).mean() < 0.015
    # What is left is noise: it has no place where it always is brighter or darker.
    blocks = (flat - scene).reshape(8, 32, 8, 32, 3).mean((1, 3))
    assert np.abs(blocks).max() < 0.01


def test_dead_pixel_is_black():
    dark = np.full(SENSOR, 100, np.float32)
    bright = np.full(SENSOR, 3000, np.float32)
    bright[0, 0] = 100
    flat = np.empty((FIELD, FIELD, 3), np.float32)
    Flattener(dark, bright).flatten(np.full(SENSOR, 1550, np.uint16), 1.0, flat)
    assert flat[0, 0].tolist() == [0, 0.5, 0.5]
    assert flat[0, 1].tolist() == [0.5, 0.5, 0.5]


def test_same_seed_is_the_same_frame(scene):
    first, again, other = (take(Microscope(seed), scene) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_colours_of_points_survive_the_sensor():
    colours = np.random.default_rng(6).random((4, 6, 3), np.float32)
    pixels, found = np.empty((8, 12), np.float32), np.empty_like(colours)
    bayer.spread(colours, pixels)
    bayer.collect(pixels, found)
    np.testing.assert_allclose(found, colours, rtol=1e-6)
