# SPDX-License-Identifier: Apache-2.0
"""Makers and users of frames in device memory that are killed in the middle."""

from __future__ import annotations

import pytest

from tests.device.frames import FRAMES, whole
from tests.ipc.peer import RemoteError

TAKE_UNTIL_THE_END = """
seen = []
try:
    while True:
        frame = frames.next(timeout=10)
        if frame is None:
            break
        values = gpu.read(s, frame.pointer, 1024).values()  # Waits for the device.
        frame.check()  # It may have waited for what its producer never finished.
        seen.append((frame.number, *values))
        end = "finished"
except fastio.FastIOError as error:
    end = type(error).__name__
"""


@pytest.fixture
def pair(start_framing):
    """A producer of frames and a consumer of the edge ``test``."""
    producer, consumer = start_framing(), start_framing()
    producer.run("output = stream_of_frames(depth=6); output.reserve('test')")
    producer.run("make(output, range(3), finish=False); gpu.finish(s)")
    consumer.run("frames = context['frames'].frames(name='test', timeout=20, stream=s)")
    return producer, consumer


def test_whole_frames_of_a_dead_producer_are_read(pair):
    producer, consumer = pair
    producer.run("half = output.next(stream=s); gpu.fill(s, half.pointer, 512, 9)")
    producer.program.kill()
    consumer.run(TAKE_UNTIL_THE_END)
    assert consumer.run("seen") == whole(range(3))
    assert consumer.run("end") == "PeerDiedError"


def test_frame_whose_kernel_never_ended_is_never_given_out_as_whole(pair):
    producer, consumer = pair
    producer.run(
        """
        gate = gpu.Gate(s)
        make(output, range(2), finish=False)
        """
    )
    producer.program.kill()
    consumer.run(TAKE_UNTIL_THE_END)
    assert consumer.run("seen") == whole(range(3))
    assert consumer.run("end") == "PeerDiedError"


def test_reader_that_waits_for_the_frame_of_a_dead_producer_goes_on(pair):
    producer, consumer = pair
    producer.run("gate = gpu.Gate(s); make(output, range(1), finish=False)")
    consumer.run("for _ in range(3): frames.next()")
    consumer.run("frame = frames.next(); seen = gpu.read(s, frame.pointer, 1024)")
    assert consumer.run("frame.number") == 3
    assert not consumer.run("gpu.is_done(s)")
    producer.program.kill()
    consumer.run("gpu.finish(s)")
    with pytest.raises(RemoteError, match="PeerDiedError"):
        consumer.run("frame.release(); frames.next(timeout=10)")


def test_killed_consumer_gives_its_frames_back(pair):
    producer, consumer = pair
    consumer.run(
        """
        frame = frames.next()
        gate = gpu.Gate(s)
        gpu.read(s, frame.pointer, 1024)
        frame.release()
        kept = frames.next()
        """
    )
    producer.start("make(output, range(40), finish=False)")
    consumer.program.kill()
    producer.result()
    producer.run("gpu.finish(s)")
    (edge,) = producer.run("[edge.is_open for edge in output.stream.edges]")
    assert edge is False


def test_frames_go_on_for_the_others_when_a_consumer_is_killed(pair, start_framing):
    producer, consumer = pair
    other = start_framing()
    other.run("frames = context['frames'].frames(name='other', timeout=20, stream=s)")
    consumer.run("frame = frames.next(); gate = gpu.Gate(s); gpu.read(s, frame.pointer, 1024)")
    other.start("take(frames)")
    producer.start("make(output, range(60), ms=0.1)")
    consumer.program.kill()
    assert other.result() == whole(range(3, 63))
    producer.result()


def test_killed_worker_leaves_its_share_to_the_others(start_framing):
    producer, doomed, worker = (start_framing() for _ in range(3))
    producer.run("output = stream_of_frames(depth=4); output.reserve('workers', share=True)")
    for peer in (doomed, worker):
        peer.run("frames = context['frames'].frames(share='workers', timeout=20, stream=s)")
    producer.run("make(output, range(1), finish=False)")
    doomed.run("frame = frames.next(); gate = gpu.Gate(s); gpu.read(s, frame.pointer, 1024)")
    producer.start("make(output, range(40))")
    doomed.program.kill()
    seen = worker.run("take(frames)")
    producer.result()
    assert seen == whole(range(1, 41))


@pytest.mark.parametrize("transport", ["vmm", "legacy"])
def test_producer_killed_at_random_leaves_no_torn_frame(start_gpu, transport):
    for rounds in range(2):
        producer, consumer = (start_gpu(transport=transport, delay="0-300") for _ in range(2))
        for peer in (producer, consumer):
            peer.run(FRAMES.replace('"frames"', f'"frames{rounds}"'))
        producer.run("output = stream_of_frames(depth=4); output.reserve('test')")
        consumer.run(
            f"frames = context['frames{rounds}'].frames(name='test', timeout=20, stream=s)"
        )
        producer.start("make(output, range(100_000), ms=0.2)")
        for _ in range(10 + 17 * rounds):
            consumer.run("last = frames.next().number")
        producer.program.kill()
        consumer.run(TAKE_UNTIL_THE_END)
        seen = consumer.run("seen")
        assert seen == whole([number for number, _, _ in seen])
        assert consumer.run("end") == "PeerDiedError"
