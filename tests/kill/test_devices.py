# SPDX-License-Identifier: Apache-2.0
"""Processes that are killed while they work on device memory; the driver is a fake one."""

from __future__ import annotations

import random

import pytest

from tests.kill import points
from tests.kill.devices import FOR_EVER, SETTLED, SHORT, WAYS, DeviceArena, Watched, way

ROLES = ("writer", "reader", "producer", "creator", "everything")

#: Seconds after which everything that a victim does was done a few times.
LONGEST_LIFE = 0.05
ENOUGH_PASSES = 100
#: Of the general rounds, for starting a process that uses a device takes longer.
SHARE = 4


@pytest.fixture
def rounds_per_way(random_rounds):
    return max(2, random_rounds // SHARE)


def test_survivors_go_on_after_a_death_at(device_point, context_name, tally, passes_per_point):
    first = points.names("device.").index(device_point)
    is_shared = device_point in points.MAKING
    for number in passes_per_point:
        chosen = way(first + number, is_shared=is_shared)
        with DeviceArena(context_name, tally, chosen) as arena:
            with arena.victim(
                "everything", passes=ENOUGH_PASSES, kill_point=f"{device_point}:{number}"
            ) as victim:
                death = victim.wait_for_death()
                assert death.was_killed, f"not passed {number} times: {victim.errors}"
                arena.recover(device_point, death, critical=device_point in points.CRITICAL)
            arena.produce_anew()
            arena.finish()


@pytest.mark.parametrize("chosen", SETTLED, ids=str)
def test_survivors_go_on_after_random_deaths(chosen, context_name, tally, rounds_per_way):
    with DeviceArena(context_name, tally, chosen) as arena:
        for _ in range(rounds_per_way):
            role = random.choice(ROLES)
            with arena.victim(role) as victim:
                assert victim.wait_until_ready(), victim.errors
                victim.kill_after(random.uniform(0, LONGEST_LIFE))
                death = victim.wait_for_death()
                assert death.was_killed, f"status {death.status}: {victim.errors}"
                arena.recover(f"random: device {role}", death)
        arena.produce_anew()
        arena.finish()


@pytest.mark.parametrize("role", ["slow_writer", "slow_reader", "slow_producer"])
@pytest.mark.parametrize("chosen", SETTLED, ids=str)
def test_streams_that_wait_for_work_of_the_dead_go_on(chosen, role, context_name, tally):
    with DeviceArena(context_name, tally, chosen) as arena:
        with arena.victim(role, ns=FOR_EVER) as victim:
            assert victim.wait_until_ready(), victim.errors
            if chosen.order != "synchronize":  # There it waits itself, with the lock in its hand.
                assert victim.wait_until_ready(), victim.errors
            victim.kill_after(0.02)
            death = victim.wait_for_death()
            assert death.was_killed, f"status {death.status}: {victim.errors}"
            arena.recover(f"device: {role}", death, critical=True)
        arena.produce_anew()
        arena.finish()


@pytest.mark.parametrize("chosen", [one for one in WAYS if one.order == "events"], ids=str)
def test_who_comes_after_the_dead_goes_on_with_events(chosen, context_name, tally):
    with Watched(context_name, tally, chosen) as arena:
        with arena.begin("device", "slow_producer", "{state}", 1, FOR_EVER) as victim:
            for _ in ("ready", "given"):
                assert victim.wait_until_ready(), victim.errors
            victim.kill()
            arena.wait_for_repair(victim.wait_for_death())
        for role in ("reader", "producer", "reader"):
            with arena.begin("device", role, "{state}", 8, SHORT) as heir:
                death = heir.wait_for_death()
                assert death.status == 0, f"status {death.status}: {heir.errors}"
        arena.free("volume")
        arena.finish()
