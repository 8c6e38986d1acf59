# SPDX-License-Identifier: Apache-2.0
"""Streams of frames within one process: what producers and consumers get and are refused."""

from __future__ import annotations

import asyncio
import math
import threading
import time

import numpy as np
import pytest

import clara_fastio as fastio
from clara_fastio import Queue


@pytest.fixture
def output(context):
    """A stream of small frames with three slots."""
    return context.variable("frames", shape=(2, 3), dtype="u16", queue=Queue(depth=3))


def make(output, *values, **options):
    for value in values:
        with output.next(timeout=1, **options) as array:
            array[...] = value


def values(frames):
    return [int(frame.array[0, 0]) for frame in frames]


def test_frames_come_in_order_and_end(context, output):
    frames = context["frames"].frames()
    make(output, 5, 6, 7)
    output.finish()
    assert values(frames) == [5, 6, 7]
    assert frames.closed
    assert frames.next() is None


def test_frame_says_what_it_is(output):
    frames = output.frames()
    before = time.monotonic_ns()
    make(output, 1, header=b"exposure=3")
    frame = frames.next(timeout=1)
    assert (frame.number, frame.version, frame.shape, frame.nbytes) == (0, 1, (2, 3), 12)
    assert before <= frame.timestamp <= time.monotonic_ns()
    assert frame.header == b"exposure=3".ljust(64, b"\0")
    assert frame.array.dtype == np.uint16
    assert frame.array is frame.array


def test_arrays_of_frames_cannot_be_written(output):
    frames = output.frames()
    make(output, 1)
    array = frames.next().array
    with pytest.raises(ValueError, match="read-only"):
        array[0, 0] = 2
    with pytest.raises(ValueError, match="WRITEABLE"):
        array.flags.writeable = True


def test_loop_makes_frames_and_finishes(output):
    frames = output.frames()
    made = threading.Thread(target=lambda: [a.fill(i) for i, a in enumerate(output.frames(20))])
    made.start()
    assert values(frames) == list(range(20))
    made.join()
    assert output.stream.state == "finished"


def test_frame_of_a_loop_that_ends_early_is_given_up(output):
    frames = output.frames()
    maker = output.frames(math.inf)
    next(maker).fill(1)
    next(maker).fill(2)
    with pytest.warns(ResourceWarning, match="frame 1 of 'frames' was dropped"):
        del maker
    assert frames.next().array[0, 0] == 1
    with pytest.raises(fastio.NotReadyError):
        frames.next(timeout=0)


def test_frame_that_failed_is_never_seen(output):
    frames = output.frames()

    def fail():
        with output.next() as array:
            array[...] = 9
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    make(output, 1)
    frame = frames.next()
    assert (frame.number, int(frame.array[0, 0])) == (0, 1)


def test_array_of_a_committed_frame_is_read_only(output):
    output.frames()
    with output.next() as array:
        array[...] = 1
    with pytest.raises(ValueError, match="read-only"):
        array[0, 0] = 2


def test_array_that_is_kept_keeps_its_slot(output):
    frames = output.frames()
    make(output, 1, 2)
    kept = frames.next().array[0]
    frames.next()
    make(output, 3)
    with pytest.raises(fastio.LockTimeoutError, match="all 3 slots of 'frames'"):
        output.next(timeout=0.01)
    assert list(kept) == [1, 1, 1]
    del kept
    make(output, 4)
    assert [frames.next().number, frames.next().number] == [2, 3]


def test_frame_is_the_loop_s_until_it_goes_on(output):
    frames = output.frames()
    make(output, 1, 2)
    first = frames.next()
    frames.next()
    with pytest.raises(fastio.ClosedError, match="frame 0 was given back"):
        _ = first.array


def test_array_outlives_consumer_and_context(context, output):
    frames = output.frames()
    make(output, 7)
    array = frames.next().array
    frames.close()
    context.close()
    assert array.sum() == 42


def test_consumer_that_keeps_every_slot_is_told(output):
    frames = output.frames()
    make(output, 1, 2, 3)
    kept = [frames.next().array for _ in range(3)]
    with pytest.raises(fastio.LockConflictError, match="holds all 3 slots"):
        frames.next(timeout=5)
    assert len(kept) == 3


@pytest.mark.parametrize(
    ("policy", "seen"), [("drop_oldest", [6, 7, 8]), ("latest", [8]), ("sample(4)", [0, 4, 8])]
)
def test_policies_lose_what_they_say_and_count_it(output, policy, seen):
    frames = output.frames(name="slow", policy=policy)
    make(output, *range(9))
    output.finish()
    assert values(frames) == seen
    (edge,) = output.stream.edges
    assert (edge.name, edge.policy, edge.taken) == ("slow", policy, len(seen))
    assert edge.offered == 9 == edge.accepted + edge.skipped
    assert edge.accepted == edge.taken + edge.dropped + edge.unread + edge.queued


def test_slow_screen_does_not_hold_up_the_disk(output):
    disk = output.frames(name="disk")
    screen = output.frames(name="screen", policy="latest")
    for value in range(20):
        make(output, value)
        assert disk.next().number == value
    assert screen.next().number == 19


def test_workers_of_a_group_share_the_frames(context, output):
    one = output.frames(share="workers")
    two = context["frames"].frames(share="workers")
    make(output, 0, 1, 2)
    output.finish()
    assert [one.next().number, two.next().number, two.next().number] == [0, 1, 2]
    assert one.next() is None
    (edge,) = output.stream.edges
    assert edge.is_shared
    assert edge.taken == 3


def test_reserved_edge_keeps_frames_for_its_consumer(output):
    output.reserve("later")
    make(output, 1, 2)
    output.finish()
    assert values(output.frames(name="later")) == [1, 2]


def test_late_frames_are_counted(output):
    frames = output.frames(deadline=0.01)
    make(output, 1)
    time.sleep(0.03)
    frames.next()
    make(output, 2)
    (edge,) = output.stream.edges
    assert edge.late == 1
    assert edge.latency(0.5) > 0.02
    assert edge.consumers[0].late == 1


def test_frames_without_a_consumer_are_counted(context):
    output = context.variable("x", shape=(4,), queue=Queue(depth=2, policy="latest"))
    for _ in output.frames(5):
        pass
    assert (output.stream.produced, output.stream.unclaimed) == (5, 5)


def test_shapes_vary_up_to_the_largest(context):
    queue = Queue(depth=2, max_shape=(10, 4))
    output = context.variable("x", shape=(None, 4), dtype="f32", queue=queue)
    frames = output.frames()
    with output.next(shape=(3, 4)) as array:
        array[...] = 1.5
    with output.next(shape=(0, 4)):
        pass
    assert frames.next().array.sum() == 18
    assert frames.next().array.shape == (0, 4)
    with pytest.raises(fastio.ShapeError, match=r"\(11, 4\) needs 176 bytes, .* has 160"):
        output.next(shape=(11, 4))
    with pytest.raises(fastio.ShapeError, match="does not fit"):
        output.next(shape=(3, 5))


def test_header_and_number_are_checked(output):
    output.frames()
    with pytest.raises(ValueError, match="64 bytes; found 65"):
        output.next(header=bytes(65))
    make(output, 1, number=7)
    with pytest.raises(ValueError, match="7 comes after 7"):
        output.next(number=7)
    frame = output.next()
    assert frame.number == 8
    with pytest.raises(fastio.LockConflictError, match="open already"):
        output.next()
    frame.abort()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"depth": 0}, ValueError, "between 1 and 126; found 0"),
        ({"depth": 127}, ValueError, "between 1 and 126; found 127"),
        ({"depth": 2.5}, TypeError, "whole number; found 2.5"),
        ({"policy": "never"}, ValueError, "'sample.n.'.*found 'never'"),
        ({"policy": "sample(0)"}, ValueError, "found 'sample.0.'"),
        ({"spin": -1}, ValueError, "spin lies between"),
        ({"max_shape": "ab"}, TypeError, "max_shape is a sequence"),
    ],
)
def test_queues_that_cannot_be_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        Queue(**options)


def test_declarations_have_to_agree(context, output):
    with pytest.raises(fastio.AlreadyExistsError, match="another queue"):
        context.variable("frames", shape=(2, 3), dtype="u16")
    with pytest.raises(fastio.AlreadyExistsError, match="another queue"):
        context.variable("frames", shape=(2, 3), dtype="u16", queue=Queue(depth=4))
    same = context.variable("frames", shape=(2, 3), dtype="u16", queue=Queue(depth=3))
    assert same.queue == output.queue == Queue(depth=3)


def test_edge_has_one_consumer_and_one_policy(output):
    frames = output.frames(name="a")
    with pytest.raises(fastio.AlreadyExistsError, match="has its consumer already"):
        output.frames(name="a")
    with pytest.raises(fastio.AlreadyExistsError, match="not shared"):
        output.frames(share="a")
    output.reserve("b", policy="latest")
    with pytest.raises(fastio.AlreadyExistsError, match="another policy"):
        output.frames(name="b", policy="block")
    frames.close()
    output.frames(name="a")


def test_streams_are_not_mapped_and_arrays_do_not_stream(context, output):
    with pytest.raises(ValueError, match=r"next\(\)"):
        output.map("w")
    with pytest.raises(ValueError, match="declare it with a queue"):
        context.variable("plain", shape=(4,)).frames()
    with pytest.raises(ValueError, match="sealed"):
        context.variable("s", shape=(4,), sealed=True, queue=Queue())
    with pytest.raises(fastio.ShapeError, match="max_shape"):
        context.variable("d", shape=(None,), queue=Queue())


def test_slots_too_large_for_memory_are_refused(context):
    output = context.variable("x", shape=(1 << 40,), queue=Queue(depth=8))
    output.reserve("a")
    with pytest.raises(fastio.OutOfMemoryError, match="requested"):
        output.next()


def test_stream_that_ended_cannot_go_on(output):
    output.frames()
    output.finish()
    output.finish()
    with pytest.raises(fastio.ClosedError, match="was finished"):
        output.next()


def test_event_loop_gets_frames(output):
    frames = output.frames()

    async def consume():
        return [frame.number async for frame in frames]

    made = threading.Thread(target=lambda: [None for _ in output.frames(10)])
    made.start()
    assert asyncio.run(consume()) == list(range(10))
    made.join()


def test_task_that_is_cancelled_loses_no_frame(output):
    frames = output.frames()

    async def wait():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(frames), 0.05)
        make(output, 3)
        return (await anext(frames)).array[0, 0]

    assert asyncio.run(wait()) == 3
