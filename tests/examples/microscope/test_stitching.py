# SPDX-License-Identifier: Apache-2.0
"""Fields laid over each other become the slide that they were cut from."""

from __future__ import annotations

import numpy as np
from stage import FIELD, Plan
from stitching import Canvas

SIZE = (300, 520)


def test_fields_become_the_slide():
    random = np.random.default_rng(1)
    slide = random.random((*SIZE, 3), np.float32)
    canvas, plan = Canvas(*SIZE), Plan(*SIZE)
    for stop in plan:
        x, y = plan.arrive(stop, random)
        canvas.add(slide[y : y + FIELD, x : x + FIELD], x, y)
    assert canvas.covered == 1
    assert np.abs(canvas.picture() / 255 - slide).max() < 0.003


def test_noise_gets_less_where_fields_overlap():
    random = np.random.default_rng(2)
    canvas = Canvas(FIELD, FIELD)
    for _ in range(16):
        noise = random.normal(0.5, 0.08, (FIELD, FIELD, 3)).astype(np.float32)
        canvas.add(noise, 0, 0)
    assert canvas.picture().std() / 255 < 0.025


def test_what_was_not_seen_is_black():
    canvas = Canvas(*SIZE)
    canvas.add(np.ones((FIELD, FIELD, 3), np.float32), 40, 20)
    picture = canvas.picture()
    assert picture[30, 50].tolist() == [255, 255, 255]
    assert not picture[:20].any()
    assert canvas.covered < 0.5
