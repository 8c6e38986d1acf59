# SPDX-License-Identifier: Apache-2.0
"""What exactly is left of what a process had, by the instruction at which it was killed."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest

import clara_fastio as fastio
from tests.helpers import leaks
from tests.kill import points
from tests.kill.doomed import Doomed
from tests.kill.tally import LIMIT

WORDS = 25_000


@pytest.fixture
def context(context_name):
    with fastio.create_context(context_name, capacity=64) as context:
        yield context


@pytest.fixture
def held(context):
    block = context.create(WORDS * 8, zero=True)
    block.set_type_and_dimensions("uint64", (WORDS,))
    block.publish("held")
    with block.map("w") as array:
        array[...] = 0
    return block


@pytest.fixture
def die(context, tally):
    """Run a victim until it is dead, and the host has repaired what it left."""

    def run(role, point=None, *, after=0.0):
        with Doomed.victim(context.name, role, kill_point=point) as victim:
            if point is None:
                assert victim.wait_until_ready(), victim.errors
                victim.kill_after(after)
            death = victim.wait_for_death()
            assert death.was_killed, victim.errors
        while death.pid in {process.pid for process in context.processes()}:
            assert time.monotonic() - death.time < LIMIT, "the host did not repair"
            time.sleep(0.001)
        name = f"random: {role}" if point is None else point.partition(":")[0]
        tally.count(
            name,
            critical=death.was_critical or name in points.CRITICAL,
            recovery=time.monotonic() - death.time,
        )
        return death.pid

    return run


def is_whole(array):
    return bool((array == array[0]).all())


@pytest.mark.parametrize("point", ["write.version_odd", "write.before_commit"])
def test_content_is_torn_when_its_writer_died_before_the_commit(held, die, point):
    die("waiter", f"{point}:1")
    for mode in ("r", "r+"):
        with pytest.raises(fastio.LockAbandonedError):
            held.map(mode)
    with held.map("r", dirty=True) as array:
        assert array.size == WORDS  # Whoever wants to may still look.
    with held.map("w") as array:
        array[...] = 5
    with held.map("r") as array:
        assert (array == 5).all()


@pytest.mark.parametrize("number", [1, 2, 3])
def test_content_is_the_old_one_when_its_writer_died_before_the_first_byte(held, die, number):
    die("waiter", f"lock.write.claimed:{number}")
    with held.map("r") as array:
        assert is_whole(array)
        assert (array[0] == 0) == (number == 1)


@pytest.mark.parametrize(
    "point", ["write.committed", "lock.write.word_cleared", "lock.write.event_bumped"]
)
def test_content_is_the_new_one_when_its_writer_died_after_the_commit(held, die, point):
    die("waiter", f"{point}:1")
    with held.map("r") as array:
        assert is_whole(array)
        assert array[0] != 0


def test_published_memory_outlives_its_creator(context, die):
    pid = die("publisher", "publish.answered:2")
    for number in range(2):
        block = context[f"victim-{pid}-block-{number}"]
        with block.map("r") as array:
            assert is_whole(array.view(np.uint64))
        block.free()
    assert list(context) == []


@pytest.mark.parametrize("point", ["create.answered", "lock.write.claimed", "write.before_commit"])
def test_private_memory_goes_with_its_creator(context, die, point):
    before = leaks.held_by_this_run()
    die("creator", f"{point}:3")
    assert context.entries() == []
    assert not leaks.wait_until_given_back(before)


def test_producer_that_died_is_named_to_those_who_wait_for_its_content(context, die):
    die("restarted", "write.version_odd:3")
    variable = context["restarted"]
    assert variable.version == 2
    with pytest.raises(fastio.PeerDiedError):
        variable.wait(version=3, timeout=None)
    (entry,) = context.entries()
    assert entry.is_orphaned
    assert entry.producer is None


@pytest.mark.parametrize("point", ["produce.offered", "produce.mapped", "produce.sealed"])
def test_variable_can_be_produced_when_its_first_producer_died_before_it_wrote(context, die, point):
    die("restarted", f"{point}:1")
    variable = context["restarted"]
    with pytest.raises((fastio.NotReadyError, fastio.PeerDiedError)):
        variable.map("r")
    variable.update_shape((3,))
    with variable.map("w") as array:
        array[...] = 1
    variable.free()
    assert list(context) == []


def test_restarted_producer_leaves_the_content_of_the_dead_as_it_was(context, die, random_rounds):
    arrays = []
    version = 0
    for _ in range(random_rounds):
        die("restarted", after=random.uniform(0, 0.004))
        if "restarted" not in context:
            continue  # It was killed before it had declared anything.
        variable = context["restarted"]
        assert variable.version >= version
        version = variable.version
        try:
            mapping = variable.map("r")
        except (fastio.LockAbandonedError, fastio.NotReadyError, fastio.PeerDiedError):
            continue
        array = mapping.array
        mapping.close()
        assert is_whole(array)
        arrays.append((array, array[0]))
    for array, value in arrays:
        assert (array == value).all(), "a new producer wrote into the memory of a dead one"
