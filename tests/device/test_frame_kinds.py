# SPDX-License-Identifier: Apache-2.0
"""Frames in device memory for several consumers, for groups of workers, and of varying shape."""

from __future__ import annotations

from tests.device.frames import whole
from tests.helpers import leaks


def test_every_consumer_gets_every_frame(start_framing):
    producer, *consumers = (start_framing() for _ in range(3))
    producer.run("output = stream_of_frames()")
    for name, consumer in zip("ab", consumers, strict=True):
        producer.run(f"output.reserve({name!r})")
        consumer.run(f"frames = context['frames'].frames(name={name!r}, timeout=20, stream=s)")
        consumer.start("take(frames, ms=0.2)")
    producer.run("make(output, range(60), ms=0.2)")
    for consumer in consumers:
        assert consumer.result() == whole(range(60))


def test_work_is_shared_and_gathered(start_framing):
    producer, gatherer, workers = (
        start_framing(),
        start_framing(),
        [start_framing(), start_framing()],
    )
    producer.run("output = stream_of_frames(depth=4); output.reserve('workers', share=True)")
    for index, worker in enumerate(workers):
        worker.run(
            f"""
            frames = context["frames"].frames(share="workers", timeout=20, stream=s)
            output = context.variable("w{index}", shape=(1024,), dtype="u32", memory="device",
                                      queue=Queue(depth=3))
            output.reserve("gather")
            """
        )
    gatherer.run(
        """
        merged = fastio.gather(*[context[f"w{i}"].frames(name="gather", stream=s)
                                 for i in range(2)], timeout=20)
        """
    )
    for worker in workers:
        worker.start(
            """
            for frame in frames:
                mine = output.next(timeout=20, number=frame.number, stream=s)
                gpu.add(s, mine.pointer, frame.pointer, 1024, 500, ms=0.1)
                mine.commit()
            output.finish()
            """
        )
    producer.start("make(output, range(60))")
    assert gatherer.run("take(merged)") == [[n, n + 500, n + 500] for n in range(60)]
    for peer in (producer, *workers):
        peer.result()


def test_frames_vary_in_shape(start_framing):
    producer, consumer = start_framing(), start_framing()
    producer.run(
        """
        output = context.variable("frames", shape=(None, 4), dtype="u32", memory="device",
                                  queue=Queue(depth=2, max_shape=(50, 4)))
        output.reserve("test")
        """
    )
    producer.start(
        """
        for i in range(60):
            frame = output.next(timeout=20, shape=(i % 50, 4), header=b"%d" % i, stream=s)
            assert frame.shape == (i % 50, 4)
            gpu.fill(s, frame.pointer, i % 50 * 4, i)
            frame.commit()
        output.finish()
        """
    )
    consumer.run(
        """
        frames = context["frames"].frames(name="test", timeout=20, stream=s)
        for frame in frames:
            rows = frame.number % 50
            assert frame.shape == (rows, 4) and frame.nbytes == rows * 16
            assert frame.header.rstrip(b"\\0") == b"%d" % frame.number
            if rows:
                seen = gpu.read(s, frame.pointer, rows * 4)
                assert seen.values() == [frame.number] * 2
        """
    )
    producer.result()


def test_frame_that_is_given_up_is_not_seen(start_framing):
    producer, consumer = start_framing(), start_framing()
    producer.run("output = stream_of_frames(); output.reserve('test')")
    consumer.run("frames = context['frames'].frames(name='test', timeout=20, stream=s)")
    producer.run(
        """
        make(output, range(1), finish=False)
        frame = output.next(timeout=5, stream=s)
        gpu.fill(s, frame.pointer, 512, 99, ms=20)
        frame.abort()
        make(output, range(1))
        """
    )
    seen = consumer.run("take(frames)")
    assert seen == whole([number for number, _, _ in seen])
    assert len(seen) == 2


def test_streams_open_nothing_and_leave_nothing_behind(start_framing):
    producer, consumer = start_framing(delay="0"), start_framing(delay="0")
    producer.run("output = stream_of_frames(depth=4); output.reserve('test')")
    consumer.run("frames = context['frames'].frames(name='test', timeout=20, stream=s)")
    producer.run("make(output, range(2), finish=False)")
    consumer.run("for _ in range(2): frames.next(timeout=20)")
    opens = consumer.run("fastio.capabilities().opens")
    before = [(peer.pid, sum(leaks.held_by(peer.pid).values())) for peer in (producer, consumer)]
    producer.start("make(output, range(2000))")
    consumer.run("count = sum(1 for frame in frames)")
    producer.result()
    assert consumer.run("count") == 2000
    assert consumer.run("fastio.capabilities().opens") == opens == 1
    for pid, held in before:
        assert sum(leaks.held_by(pid).values()) <= held
