# SPDX-License-Identifier: Apache-2.0
"""Producers and consumers of frames on a device that are killed; the driver is a fake one."""

from __future__ import annotations

import contextlib
import random
import time

import pytest

from tests.kill import points
from tests.kill.devices import FOR_EVER, SETTLED, SHORT, Watched, way
from tests.kill.doomed import PATIENCE
from tests.kill.streams import PEER_DIED
from tests.kill.tally import LIMIT

#: Seconds that a stream flows between two kills, at most.
LONGEST_PAUSE = 0.05
SHARE = 8
FEW = 20

FRAME_POINTS = ("frame.version_odd", "frame.before_commit", "frame.committed", "frame.queued")


class FrameArena(Watched):
    """One stream of frames on a device: a producer, and consumers on edges of their own."""

    def start(self, role, *, frames=0, ns=SHORT, kill_point=None, is_ready=True):
        process = self.enter_context(
            self.begin("device_frames", role, "{state}", frames, ns, kill_point=kill_point)
        )
        if is_ready:
            assert process.wait_until_ready(), process.errors
        return process

    def bury_consumer(self, where, victim, *others, critical=False):
        """See that the producer and the other consumers go on after a death."""
        death = victim.wait_for_death()
        assert death.was_killed, f"status {death.status}: {victim.errors}"
        before = [one.passes for one in others]
        self.wait_for_repair(death)
        while any(one.passes < passes + 6 for one, passes in zip(others, before, strict=True)):
            for one in others:
                assert not one.has_ended(), one.errors
            assert time.monotonic() - death.time < PATIENCE, "the stream does not flow"
            time.sleep(0.001)
        self.count(where, death, until=time.monotonic(), critical=critical)

    def end(self, producer, *consumers):
        """Let a producer finish its stream, and consumers read all of it."""
        assert producer.finish() == 0, producer.errors
        for one in consumers:
            ended = one.wait_for_death()
            assert ended.status == 0, f"status {ended.status}: {one.errors}"
        self.free("frames")

    def bury_producer(self, where, producer, *consumers, critical=False):
        """See that consumers get to the end of what is whole, and that another can produce."""
        death = producer.wait_for_death()
        assert death.was_killed, f"status {death.status}: {producer.errors}"
        last = death.time
        for one in consumers:
            ended = one.wait_for_death()
            assert ended.status == PEER_DIED, f"status {ended.status}: {one.errors}"
            last = max(last, ended.time)
        assert last - death.time <= LIMIT
        self.wait_for_repair(death)
        self.count(where, death, until=last, critical=critical)
        self.free("frames")
        again = self.start("producer", frames=FEW)
        consumer = self.start("steady")
        for one in (again, consumer):
            ended = one.wait_for_death()
            assert ended.status == 0, f"status {ended.status}: {one.errors}"
        self.free("frames")


def wait_for_passes(process, count):
    """Wait until a process has gone through its loop so often."""
    while process.passes < count:
        assert not process.has_ended(), process.errors
        time.sleep(0.001)


@pytest.fixture
def open_arena(context_name, tally):
    with contextlib.ExitStack() as stack:
        yield lambda chosen: stack.enter_context(FrameArena(context_name, tally, chosen))


@pytest.fixture
def kills_per_way(random_rounds):
    return max(1, random_rounds // SHARE)


@pytest.mark.parametrize("number", [1, 7])
def test_others_go_on_when_one_dies_at(device_frame_point, number, open_arena):
    chosen = way(points.names("device.").index(device_frame_point) + number)
    arena = open_arena(chosen)
    kill_point = f"{device_frame_point}:{number}"
    critical = device_frame_point in points.CRITICAL
    if device_frame_point in points.READING:
        others = [arena.start("producer"), arena.start("steady")]
        victim = arena.start("other", kill_point=kill_point, is_ready=False)
        arena.bury_consumer(device_frame_point, victim, *others, critical=critical)
        arena.end(*others)
    else:
        producer = arena.start("producer", kill_point=kill_point)
        consumers = [arena.start(edge, is_ready=False) for edge in ("steady", "other")]
        arena.bury_producer(device_frame_point, producer, *consumers[:1], critical=critical)
    arena.finish()


@pytest.mark.parametrize("number", [1, 7])
@pytest.mark.parametrize("point", FRAME_POINTS)
def test_consumers_get_what_is_whole_when_the_producer_dies_at(point, number, open_arena):
    arena = open_arena(way(FRAME_POINTS.index(point) + number))
    producer = arena.start("producer", kill_point=f"{point}:{number}")
    arena.bury_producer(
        f"device: {point}", producer, arena.start("steady", is_ready=False), critical=True
    )
    arena.finish()


@pytest.mark.parametrize("chosen", SETTLED, ids=str)
def test_nothing_is_torn_or_missing_under_random_kills(chosen, open_arena, kills_per_way):
    arena = open_arena(chosen)
    for _ in range(kills_per_way):
        producer = arena.start("producer")
        steady = arena.start("steady")
        # Before its first frame it is not the producer yet, and somebody else may become it.
        wait_for_passes(producer, 1)
        for _ in range(random.randint(0, 2)):
            victim = arena.start("other")
            victim.kill_after(random.uniform(0, LONGEST_PAUSE))
            arena.bury_consumer("random: device consumer", victim, producer, steady)
        producer.kill_after(random.uniform(0, LONGEST_PAUSE))
        arena.bury_producer("random: device frames", producer, steady)
    arena.finish()


@pytest.mark.parametrize("chosen", [one for one in SETTLED if one.order == "timeline"], ids=str)
def test_frames_that_nobody_finishes_are_not_believed(chosen, open_arena):
    arena = open_arena(chosen)
    producer = arena.start("producer", ns=FOR_EVER)
    steady = arena.start("steady")
    wait_for_passes(producer, 2)
    producer.kill_after(0.02)
    arena.bury_producer("device: slow frames", producer, steady, critical=True)
    arena.finish()


def test_producer_finds_slots_when_a_consumer_never_finishes(open_arena):
    arena = open_arena(way(0))
    others = [arena.start("producer"), arena.start("steady")]
    victim = arena.start("other", ns=FOR_EVER)
    victim.kill_after(LONGEST_PAUSE)
    arena.bury_consumer("device: slow consumer", victim, *others, critical=True)
    arena.end(*others)
    arena.finish()
