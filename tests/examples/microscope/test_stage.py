# SPDX-License-Identifier: Apache-2.0
"""Where the stage goes, and what it says about it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from field_header import FieldHeader
from stage import FIELD, JITTER, PITCH, Plan

SIZES = [(1024, 1024), (1411, 1411), (256, 600)]


@pytest.mark.parametrize("size", SIZES)
def test_each_point_belongs_to_one_field(size):
    plan, owners = Plan(*size), np.zeros(size, int)
    for stop in plan:
        core = plan.core(stop.row, stop.column)
        owners[core.top : core.bottom, core.left : core.right] += 1
    assert (owners == 1).all()


@pytest.mark.parametrize("size", SIZES)
def test_a_field_shows_its_core_wherever_the_stage_comes_to_rest(size):
    plan, random = Plan(*size), np.random.default_rng(1)
    misses = set()
    for stop in list(plan) * 60:
        x, y = plan.arrive(stop, random)
        core = plan.core(stop.row, stop.column)
        assert 0 <= x <= core.left
        assert core.right <= x + FIELD <= size[1]
        assert 0 <= y <= core.top
        assert core.bottom <= y + FIELD <= size[0]
        misses.add(x - stop.x)
    assert misses == set(range(-JITTER, JITTER + 1))


def test_stage_goes_there_and_back():
    stops = list(Plan(1024, 1024))
    steps = [abs(one.x - next_.x) + abs(one.y - next_.y) for one, next_ in pairwise(stops)]
    assert max(steps) <= PITCH


def test_core_owns_its_left_border_only():
    core = Plan(1024, 1024).core(1, 1)
    x = np.array([core.left, core.right, core.left])
    y = np.array([core.top, core.top, core.bottom])
    assert core.owns(x, y).tolist() == [True, False, False]


def test_header_fits_into_a_frame():
    header = FieldHeader(1, 2, 3, 4, 5.0, 6.5, 2**62, 0.93)
    packed = header.pack()
    assert len(packed) <= 64
    assert FieldHeader.unpack(packed.ljust(64, b"\0")) == header
