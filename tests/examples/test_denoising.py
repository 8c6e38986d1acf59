# SPDX-License-Identifier: Apache-2.0
"""Smoothing that spares edges, from one array into another."""

from __future__ import annotations

import denoising
import numpy as np
import pytest


def error(volume, phantom):
    return np.sqrt(np.mean((volume - phantom.volume)[phantom.labels > 0] ** 2))


@pytest.mark.parametrize("deviation", [12, 25])
def test_noise_level_is_found(phantom, deviation):
    assert denoising.noise_level(phantom.noisy(deviation)) == pytest.approx(deviation, rel=0.15)


def test_noise_gets_less_and_edges_stay(phantom):
    noisy = phantom.noisy(12)
    smooth = np.empty_like(noisy)
    denoising.denoise(noisy, out=smooth)
    assert error(smooth, phantom) < 0.6 * error(noisy, phantom)
    steep = np.abs(np.diff(phantom.volume, axis=0)) > 60
    kept = np.abs(np.diff(smooth, axis=0))[steep].mean()
    assert kept > 0.85 * np.abs(np.diff(phantom.volume, axis=0))[steep].mean()


def test_volume_without_noise_is_left_alone(phantom):
    smooth = np.empty_like(phantom.volume)
    denoising.denoise(phantom.volume, out=smooth, noise=0)
    np.testing.assert_allclose(smooth, phantom.volume, atol=0.05)


def test_outside_stays_zero_and_the_rim_stays_bright(phantom):
    flat = np.where(phantom.labels > 0, np.float32(100), np.float32(0))
    smooth = np.full_like(flat, np.nan)
    denoising.denoise(flat, out=smooth, noise=10)
    np.testing.assert_allclose(smooth, flat, atol=0.01)


def test_slabs_leave_no_seam(phantom, monkeypatch):
    noisy = phantom.noisy(10)
    thick, thin = np.empty_like(noisy), np.empty_like(noisy)
    monkeypatch.setattr(denoising, "_SLAB", len(noisy))
    denoising.denoise(noisy, out=thick)
    monkeypatch.setattr(denoising, "_SLAB", 5)
    denoising.denoise(noisy, out=thin)
    np.testing.assert_allclose(thin, thick, atol=1e-3)


def test_input_may_be_read_only(phantom):
    noisy = phantom.noisy(10)
    noisy.flags.writeable = False
    denoising.denoise(noisy, out=np.empty_like(noisy))


def test_output_of_another_shape_is_refused(phantom):
    with pytest.raises(ValueError, match="out must have shape"):
        denoising.denoise(phantom.volume, out=np.empty((3, 3, 3), np.float32))
