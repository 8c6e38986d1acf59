# SPDX-License-Identifier: Apache-2.0
"""Streams of frames in device memory: all of them, whole, in order, with no host waiting."""

from __future__ import annotations

import pytest

from tests.device.frames import whole


@pytest.mark.parametrize(
    ("transport", "order"),
    [
        ("vmm", "timeline"),
        ("vmm", "events"),
        ("vmm", "synchronize"),
        ("legacy", "timeline"),
        ("host", "timeline"),
        ("host", "events"),
    ],
)
def test_all_frames_come_in_order_and_whole(start_framing, transport, order):
    producer, consumer = (
        start_framing(transport=transport, sync=order, delay="0-500") for _ in range(2)
    )
    producer.run("output = stream_of_frames(fallback='host'); output.reserve('test')")
    producer.start("make(output, range(60), ms=0.3)")
    consumer.run("frames = context['frames'].frames(name='test', timeout=20, stream=s)")
    assert consumer.run("take(frames, ms=0.3)") == whole(range(60))
    producer.result()


@pytest.mark.parametrize(
    "orders", [("timeline", "events"), ("events", "synchronize"), ("synchronize", "timeline")]
)
def test_ends_may_order_in_different_ways(start_framing, orders):
    producer, consumer = (start_framing(sync=order, delay="0-500") for order in orders)
    producer.run("output = stream_of_frames(); output.reserve('test')")
    producer.start("make(output, range(60), ms=0.3)")
    consumer.run("frames = context['frames'].frames(name='test', timeout=20, stream=s)")
    assert consumer.run("take(frames, ms=0.3)") == whole(range(60))
    producer.result()


def test_frames_pass_through_a_third_process(start_framing):
    first, second, third = start_framing(), start_framing(), start_framing()
    first.run("output = stream_of_frames(); output.reserve('middle')")
    second.run(
        """
        output = context.variable("more", shape=(1024,), dtype="u32", memory="device",
                                  queue=Queue(depth=2))
        output.reserve("last")
        frames = context["frames"].frames(name="middle", timeout=20, stream=s)
        """
    )
    third.run("frames = context['more'].frames(name='last', timeout=20, stream=s)")
    first.start("make(output, range(80), ms=0.1)")
    second.start(
        """
        for frame in frames:
            mine = output.next(timeout=20, number=frame.number, stream=s)
            gpu.add(s, mine.pointer, frame.pointer, 1024, 1000, ms=0.1)
            mine.commit()
        output.finish()
        """
    )
    assert third.run("take(frames)") == [[n, n + 1000, n + 1000] for n in range(80)]
    first.result()
    second.result()


def test_nobody_waits_on_the_host(start_framing):
    producer, consumer = start_framing(), start_framing()
    producer.run("output = stream_of_frames(depth=8); output.reserve('test')")
    producer.run("make(output, range(1), finish=False)")
    consumer.run("frames = context['frames'].frames(name='test', timeout=20, stream=s)")
    consumer.run("frame = frames.next(); gpu.finish(s)")
    for peer in (producer, consumer):
        peer.run("before = gpu.calls('cuStreamSynchronize')")
    producer.run("gate = gpu.Gate(s); make(output, range(4))")
    consumer.start("take(frames)")
    producer.run("assert not gpu.is_done(s); gate.open()")
    assert consumer.result() == whole(range(1, 5))
    for peer in (producer, consumer):
        assert peer.run("gpu.calls('cuStreamSynchronize') - before") == 0


def test_slot_is_filled_again_only_when_its_reader_is_done(start_framing):
    producer, consumer = start_framing(), start_framing()
    producer.run("output = stream_of_frames(depth=1); output.reserve('test')")
    producer.run("make(output, range(1), finish=False)")
    consumer.run(
        """
        frames = context["frames"].frames(name="test", timeout=20, stream=s)
        frame = frames.next()
        gate = gpu.Gate(s)
        seen = gpu.read(s, frame.pointer, 1024, ms=10)
        frame.release()
        """
    )
    producer.run("make(output, range(1))")
    assert not producer.run("gpu.is_done(s)")
    consumer.run("gate.open()")
    assert consumer.run("seen.values()") == [0, 0]
    assert consumer.run("take(frames)") == whole([1])


@pytest.mark.parametrize("policy", ["drop_oldest", "latest"])
def test_frames_that_are_not_lost_are_whole(start_framing, policy):
    producer, consumer = start_framing(delay="0-300"), start_framing(delay="0-300")
    producer.run(f"output = stream_of_frames(policy={policy!r}); output.reserve('test')")
    consumer.run("frames = context['frames'].frames(name='test', timeout=20, stream=s)")
    producer.start("make(output, range(150), ms=0.2)")
    seen = consumer.run("take(frames, ms=0.5)")
    producer.result()
    numbers = [number for number, _, _ in seen]
    assert seen == whole(numbers)
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 149
