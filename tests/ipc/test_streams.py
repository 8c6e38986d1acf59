# SPDX-License-Identifier: Apache-2.0
"""Streams of frames between processes that live, stop and die."""

from __future__ import annotations

import signal
import time

import pytest

import clara_fastio as fastio
from clara_fastio import Queue
from tests.ipc.peer import RemoteError


@pytest.fixture
def output(context):
    """A stream of small frames that this process produces."""
    return context.variable("frames", shape=(100,), dtype="u32", queue=Queue(depth=3))


def make(output, *values):
    for value in values:
        with output.next(timeout=5) as array:
            array[...] = value


def adds_up(edge):
    return (
        edge.accepted == edge.taken + edge.dropped + edge.unread + edge.queued
        and edge.taken == edge.released + edge.held + edge.lost
    )


def test_frames_cross_processes(context, peer):
    peer.run("""
        output = context.variable("x", shape=(None,), dtype="u32",
                                  queue=fastio.Queue(depth=2, max_shape=(50,)))
        output.reserve("test")
    """)
    peer.start("""
        for i in range(200):
            with output.next(shape=(i % 50,), header=b"%d" % i) as array:
                array[...] = i
        output.finish()
    """)
    seen = []
    for frame in context["x"].frames(name="test", timeout=20):
        assert frame.shape == (frame.number % 50,)
        assert (frame.array == frame.number).all()
        seen.append(int(frame.header.rstrip(b"\0")))
    assert seen == list(range(200))
    peer.result()


def test_killed_consumer_gives_back_what_it_held(output, peer):
    disk = output.frames(name="disk")
    peer.run('frames = context["frames"].frames(name="screen")')
    make(output, 1, 2, 3)
    peer.run("kept = [frames.next().array, frames.next().array]")
    for _ in range(3):
        disk.next()
    with pytest.raises(fastio.LockTimeoutError):
        make_within(output, 0.05)
    start = time.monotonic()
    peer.program.signal(signal.SIGKILL)
    make_within(output, 5)
    assert time.monotonic() - start < 4
    screen = next(edge for edge in output.stream.edges if edge.name == "screen")
    assert (screen.lost, screen.is_open, screen.held) == (2, False, 0)
    assert adds_up(screen)
    assert disk.next(timeout=1).number == 3


def make_within(output, timeout):
    with output.next(timeout=timeout):
        pass


def test_killed_worker_leaves_its_share_to_the_others(output, peer):
    mine = output.frames(share="workers")
    peer.run('frames = context["frames"].frames(share="workers")')
    make(output, 1, 2)
    peer.run("kept = frames.next().array")
    peer.program.signal(signal.SIGKILL)
    make(output, 3, 4)
    output.finish()
    assert [frame.number for frame in mine] == [1, 2, 3]
    (edge,) = output.stream.edges
    assert (edge.lost, edge.taken, edge.dropped, edge.unread) == (1, 4, 0, 0)


def test_killed_producer_leaves_its_whole_frames(context, peer):
    peer.run("""
        output = context.variable("x", shape=(10,), queue=fastio.Queue(depth=4))
        output.reserve("test")
        for i in range(3):
            with output.next() as array:
                array[...] = i
        half = output.next()
        half.array[...] = 99
    """)
    frames = context["x"].frames(name="test", timeout=10)
    assert [int(frames.next().array[0]) for _ in range(2)] == [0, 1]
    peer.program.signal(signal.SIGKILL)
    assert frames.next(timeout=5).number == 2
    with pytest.raises(fastio.PeerDiedError, match="died in the middle"):
        frames.next(timeout=5)
    assert context["x"].stream.state == "died"
    with pytest.raises(fastio.FastIOError, match=r"ended|another"):
        context["x"].next(timeout=0)


def test_producer_that_leaves_early_is_told_from_one_that_finished(context, peer):
    peer.run("""
        output = context.variable("x", shape=(10,), queue=fastio.Queue(depth=4))
        output.reserve("test")
        with output.next():
            pass
        output.release()
        context.close()
    """)
    frames = context["x"].frames(name="test", timeout=5)
    assert frames.next().number == 0
    with pytest.raises(fastio.PeerDiedError, match="left without finishing"):
        frames.next()


def test_stopped_consumer_holds_up_nobody_who_may_lose_frames(output, peer):
    disk = output.frames(name="disk")
    peer.run('frames = context["frames"].frames(name="screen", policy="drop_oldest")')
    peer.stop()
    try:
        for value in range(50):
            make(output, value)
            assert disk.next().number == value
    finally:
        peer.program.signal(signal.SIGCONT)
    assert peer.run("frames.next(timeout=5).number") >= 47


def test_two_producers_are_refused(output, peer):
    output.frames()
    make(output, 1)
    with pytest.raises(RemoteError, match=r"ReadOnlyError: .*is produced by process"):
        peer.run('context["frames"].next(timeout=0)')


def test_consumer_cannot_write(output, peer):
    peer.run('frames = context["frames"].frames()')
    make(output, 1)
    with pytest.raises(RemoteError, match="read-only"):
        peer.run("frames.next().array[0] = 3")


def test_death_of_the_host_ends_all_waits(start_peer, context_name):
    host = start_peer()
    host.run(f"""
        context = fastio.create_context({context_name!r})
        output = context.variable("x", shape=(10,), queue=fastio.Queue(depth=1))
    """)
    waiting = start_peer(context_name)
    waiting.run('frames = context["x"].frames()')
    host.run("output.next().commit()")
    waiting.run("kept = frames.next().array.sum()")
    waiting.start_and_sleep("frames.next()")
    host.program.signal(signal.SIGKILL)
    with pytest.raises(RemoteError, match="HostDiedError"):
        waiting.result()


def test_freed_stream_ends_all_waits(output, peer):
    peer.run('frames = context["frames"].frames()')
    peer.start_and_sleep("frames.next()")
    output.free()
    with pytest.raises(RemoteError, match="FreedError"):
        peer.result()


def test_ctrl_c_ends_a_wait(output, peer):
    peer.run('frames = context["frames"].frames()')
    peer.start_and_sleep("frames.next()")
    peer.program.signal(signal.SIGINT)
    with pytest.raises(RemoteError, match="KeyboardInterrupt"):
        peer.result()
    make(output, 5)
    assert peer.run("int(frames.next().array[0])") == 5
