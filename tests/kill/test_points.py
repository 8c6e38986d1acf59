# SPDX-License-Identifier: Apache-2.0
"""Processes that are killed at a certain instruction."""

from __future__ import annotations

from tests.kill import points
from tests.kill.conftest import POINTS
from tests.kill.doomed import Doomed

#: More than any point needs to be passed as often as it is asked for.
ENOUGH_PASSES = 400


def test_library_has_kill_points():
    assert {"lock.write.claimed", "write.version_odd", "host.repair.begin"} <= set(points.names())


def test_critical_points_exist():
    assert set(points.names()) >= points.CRITICAL


def test_no_point_is_left_out():
    left_out = [name for name in points.names() if not any(one(name) for one in POINTS.values())]
    assert not left_out


def test_survivors_go_on_after_a_death_at(client_point, arena, passes_per_point):
    for number in passes_per_point:
        with Doomed.victim(
            arena.name, "everything", passes=ENOUGH_PASSES, kill_point=f"{client_point}:{number}"
        ) as victim:
            death = victim.wait_for_death()
            assert death.was_killed, f"not passed {number} times: {victim.errors}"
            arena.recover(client_point, [death], critical=client_point in points.CRITICAL)
