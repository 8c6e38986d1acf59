# SPDX-License-Identifier: Apache-2.0
"""Producers and consumers of frames that are killed, at any moment and at each kill point."""

from __future__ import annotations

import random
import time

import pytest

import clara_fastio as fastio
from tests.kill.streams import Stream, some_edges

#: Seconds that a stream flows between two kills, at most.
LONGEST_PAUSE = 0.02
KILLS_PER_STREAM = 12
DEPTHS = (1, 4, 16, 32, 64, 64, 64, 126)
#: Enough that a producer passes each of its points as often as it is asked for.
FRAMES_BEFORE_DEATH = 2000
LEAVERS = 20

#: At these somebody else can see a change that is not complete.
CRITICAL = frozenset(
    {
        "frame.taking",
        "frame.held",
        "frame.version_odd",
        "frame.before_commit",
        "frame.committed",
        "frame.mask_read",
        "frame.queued",
        "frame.accepted",
        "frame.event_bumped",
        "frame.dropped",
        "frame.finished",
    }
)


@pytest.fixture
def context(context_name):
    with fastio.create_context(context_name, capacity=64) as context:
        yield context


def test_nothing_is_torn_or_twice_or_out_of_order_under_random_kills(context, tally, frames):
    made = 0
    while made < frames:
        depth = random.choice(DEPTHS)
        spin = random.choice([0, 0, 20_000])
        with Stream(context, tally, some_edges(), depth=depth, spin=spin) as stream:
            stream.start_consumers()
            for _ in range(random.randint(1, KILLS_PER_STREAM)):
                time.sleep(random.uniform(0, LONGEST_PAUSE))
                victims = stream.victims()
                stream.kill(*random.sample(victims, min(len(victims), random.choice([1, 1, 2]))))
            made += stream.finish(kill=random.random() < 0.7).produced


def test_consumers_get_all_that_is_complete_when_the_producer_dies_at(
    producer_point, context, tally, frame_passes
):
    # Frames are dropped where no edge blocks.
    lossy = producer_point == "frame.dropped"
    names = ("oldest", "sample") if lossy else ("steady", "group", "oldest", "latest", "sample")
    is_last = producer_point == "frame.finished"
    for number in frame_passes[:1] if is_last else frame_passes:
        with Stream(
            context,
            tally,
            names,
            depth=4,
            pace=8,
            frames=FRAMES_BEFORE_DEATH,
            kill_point=f"{producer_point}:{number}",
        ) as stream:
            stream.start_consumers()
            info = stream.end(producer_point, critical=producer_point in CRITICAL)
            assert info.state == ("finished" if is_last else "died")


def test_nothing_keeps_a_slot_when_an_edge_is_closed_while_the_producer_is_at(
    held_up_point, context, tally
):
    with Stream(
        context, tally, ("steady", "restarted"), depth=1, stop_point=f"{held_up_point}:5"
    ) as stream:
        stream.start_consumers()
        stream.producer.wait_until_stopped()
        stream.is_held_up = True
        (victim,) = stream.victims()
        victim.process.kill()
        stream.bury(victim, f"stopped: {held_up_point}")
        stream.go_on()
        stream.finish(kill=False)


@pytest.mark.parametrize("name", ["group", "restarted", "oldest"])
def test_others_go_on_when_a_consumer_dies_at(consumer_point, name, context, tally, frame_passes):
    with Stream(context, tally, ("steady", name), depth=16, pace=8, producer_pace=8) as stream:
        edge = next(one for one in stream.edges if one.name == name)
        stream.start_consumers(without=None if edge.is_shared else name)
        for number in frame_passes:
            victim = stream.start_consumer(edge, kill_point=f"{consumer_point}:{number}")
            stream.bury(victim, consumer_point, critical=consumer_point in CRITICAL)
        stream.finish(kill=False)


def test_consumers_that_leave_with_frames_in_hand_lose_none(context, tally):
    with Stream(context, tally, ("steady", "group", "restarted"), depth=32) as stream:
        stream.start_consumers(without="restarted")
        group, restarted = stream.edges[1:]
        for _ in range(LEAVERS):
            leavers = [stream.start_consumer(edge, leave=100) for edge in (group, restarted)]
            for one in leavers:
                stream.wait_until_left(one)
        info = stream.finish(kill=False)
        assert all(edge.lost == 0 for edge in info.edges)
