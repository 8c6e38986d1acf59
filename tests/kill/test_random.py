# SPDX-License-Identifier: Apache-2.0
"""Processes that are killed at any moment, one or several at once."""

from __future__ import annotations

import contextlib
import random

import pytest

from tests.kill.doomed import Doomed

ROLES = ("writer", "reader", "producer", "creator", "publisher", "sealer", "everything")

#: Seconds after which everything that a victim does was done a few times.
LONGEST_LIFE = 0.008


@pytest.mark.parametrize("role", ROLES)
def test_survivors_go_on_after_a_random_death(arena, role, random_rounds):
    for _ in range(random_rounds):
        with Doomed.victim(arena.name, role) as victim:
            assert victim.wait_until_ready(), victim.errors
            victim.kill_after(random.uniform(0, LONGEST_LIFE))
            arena.kill(f"random: {role}", victim)


def test_survivors_go_on_after_a_death_while_it_opens(arena, random_rounds):
    for _ in range(random_rounds):
        with Doomed.victim(arena.name, "everything") as victim:
            victim.kill_after(random.uniform(0, LONGEST_LIFE))
            arena.kill("random: opening", victim)


def test_survivors_go_on_after_several_deaths_at_once(arena, random_rounds):
    for _ in range(random_rounds // 3 + 1):
        with contextlib.ExitStack() as stack:
            victims = [
                stack.enter_context(Doomed.victim(arena.name, role))
                for role in random.choices(ROLES, k=3)
            ]
            for victim in victims:
                assert victim.wait_until_ready(), victim.errors
            for victim in victims:
                victim.kill_after(random.uniform(0, LONGEST_LIFE))
            arena.kill("random: three at once", *victims)


@pytest.mark.parametrize("mode", ["r", "w"])
def test_survivors_go_on_after_the_death_of_a_waiter(arena, mode, random_rounds):
    for number in range(random_rounds):
        mapping = arena.held.map(mode)
        # Every other one dies before it sleeps for the first time.
        point = f"lock.asleep:{1 + number % 3}" if number % 2 else None
        with Doomed.victim(arena.name, "waiter", kill_point=point) as victim:
            assert victim.wait_until_ready(), victim.errors
            if point is None:
                victim.kill_after(random.uniform(0, LONGEST_LIFE))
            death = victim.wait_for_death()
            assert death.was_killed, victim.errors
            mapping.close()
            arena.recover("random: waiter", [death], critical=mode == "r")
