# SPDX-License-Identifier: Apache-2.0
"""Processes that are killed at the worst moments, while others use the same device memory."""

from __future__ import annotations

import os

import pytest

from tests.device import watching
from tests.ipc.peer import RemoteError

COMMIT_BEHIND_A_GATE = """
mapping = x.map("w", timeout=20, stream=s)
gate = gpu.Gate(s)
gpu.fill(s, mapping.pointer, 1024, 2)
mapping.commit()
"""


@pytest.fixture
def shared(producer, consumer):
    """A producer and a consumer of ``x`` with the content 1."""
    producer.run("x = device_variable(); write(x, 1); gpu.finish(s)")
    consumer.run("x = context['x']; read(x).values()")
    return producer, consumer


def test_stream_that_waits_for_a_dead_producer_goes_on(shared, start_gpu):
    producer, consumer = shared
    producer.run(COMMIT_BEHIND_A_GATE)
    consumer.run(
        "mapping = x.map('r', timeout=20, stream=s); seen = gpu.read(s, mapping.pointer, 1)"
    )
    assert not consumer.run("gpu.is_done(s)")
    producer.program.kill()
    consumer.run("gpu.finish(s)")
    with pytest.raises(RemoteError, match="PeerDiedError"):
        consumer.run("mapping.close()")
    assert not consumer.run("mapping.is_open")
    with pytest.raises(RemoteError, match="PeerDiedError"):
        consumer.run("x.map('r', timeout=5, stream=s)")
    heir = start_gpu()
    with pytest.raises(RemoteError, match="PeerDiedError"):
        heir.run("context['x'].map('r', timeout=5, stream=s)")
    heir.run("x = device_variable(); write(x, 3)")
    assert heir.run("read(x).values()") == [3, 3]
    assert consumer.run("read(context['x']).values()") == [3, 3]
    assert consumer.run("read(x).values()") == [3, 3]


def test_read_that_was_promised_before_the_death_ends(shared):
    producer, consumer = shared
    producer.run(COMMIT_BEHIND_A_GATE)
    consumer.run("seen = read(x)")
    producer.program.kill()
    consumer.run("gpu.finish(s)")
    with pytest.raises(RemoteError, match="PeerDiedError"):
        consumer.run("x.map('r', timeout=5, stream=s)")


def test_writer_killed_while_it_has_the_mapping_leaves_torn_content(shared, start_gpu):
    producer, consumer = shared
    producer.run("mapping = x.map('w', timeout=5, stream=s); gpu.fill(s, mapping.pointer, 9, 2)")
    producer.program.kill()
    with pytest.raises(RemoteError, match=r"LockAbandonedError|PeerDiedError"):
        consumer.run("x.map('r', timeout=5, stream=s)")
    heir = start_gpu()
    heir.run("x = device_variable()")
    with pytest.raises(RemoteError, match=r"LockAbandonedError|PeerDiedError|ReadOnlyError"):
        heir.run("x.map('r+', timeout=5, stream=s)")
    heir.run("write(x, 5)")
    assert consumer.run("read(context['x']).values()") == [5, 5]


@pytest.mark.parametrize("transport", ["vmm", "host"])
def test_finished_content_outlives_its_producer(start_gpu, transport):
    producer, consumer = (start_gpu(transport=transport) for _ in range(2))
    producer.run("x = device_variable(fallback='host'); write(x, 1); gpu.finish(s)")
    consumer.run("x = context['x']; mapping = x.map('r', timeout=20, stream=s)")
    producer.program.kill()
    consumer.run("seen = gpu.read(s, mapping.pointer, 1024); mapping.close()")
    assert consumer.run("seen.values()") == [1, 1]
    assert consumer.run("read(x).values()") == [1, 1]
    assert start_gpu(transport=transport).run("read(context['x']).values()") == [1, 1]


def test_legacy_content_ends_with_its_producer(start_gpu):
    producer = start_gpu(transport="legacy")
    producer.run("x = device_variable(); write(x, 1); gpu.finish(s)")
    producer.program.kill()
    late = start_gpu(transport="legacy")
    with pytest.raises(RemoteError, match="PeerDiedError"):
        late.run("context['x'].map('r', timeout=5, stream=s)")
    late.run("x = device_variable(); write(x, 4)")
    assert start_gpu().run("read(context['x']).values()") == [4, 4]


def test_memory_of_a_dead_producer_goes_with_its_last_user(shared):
    producer, consumer = shared
    producer.program.kill()
    assert consumer.run("read(x).values()") == [1, 1]
    consumer.run("gpu.finish(s); x.free(); del x")
    watching.wait_until(
        lambda: watching.held_by(os.getpid()).descriptors == 0, "the host gives it back"
    )
    watching.wait_until(
        lambda: (
            watching.held_by(consumer.pid).descriptors == 0
            and watching.held_by(consumer.pid).mappings == 0
        ),
        "the consumer gives it back",
    )


@pytest.mark.parametrize("transport", ["vmm", "legacy"])
def test_killed_reader_does_not_hold_the_writer_up(start_gpu, transport):
    producer = start_gpu(transport=transport)
    producer.run("x = device_variable(); write(x, 1)")
    ways = [
        "mapping = x.map('r', timeout=20, stream=s)",
        "mapping = x.map('r', timeout=20, stream=s); gate = gpu.Gate(s); mapping.close()",
        "read(x, ms=200)",
    ]
    for value, way in enumerate(ways, 2):
        consumer = start_gpu(transport=transport)
        consumer.run("x = context['x']; read(x).values()")
        consumer.run(way)
        producer.start(f"write(x, {value})")
        consumer.program.kill()
        producer.result()
        producer.run("gpu.finish(s)")
        assert producer.run("read(x).values()") == [value, value], way


def test_killed_readers_give_their_memory_back(start_gpu, context):
    producer = start_gpu()
    producer.run(f"x = device_variable('x', {(64 << 20) // 4}); write(x, 1); gpu.finish(s)")
    consumer = start_gpu()
    consumer.run("x = context['x']; mapping = x.map('r', timeout=5, stream=s)")
    consumer.program.kill()
    producer.run("x.free(); del x")
    producer.run("context.close()")
    watching.wait_until(
        lambda: watching.held_by(os.getpid()) == (0, 0), "the host gives the memory back"
    )
    watching.wait_until(
        lambda: watching.held_by(producer.pid) == (0, 0), "the producer gives it back"
    )
    assert {process.pid for process in context.processes()} <= {os.getpid()}


def test_slot_of_a_killed_reader_hurts_no_later_one(shared, start_gpu):
    producer, _ = shared
    for value in range(3, 6):
        reader = start_gpu()
        reader.run("x = context['x']; seen = read(x, ms=20)")
        reader.program.kill()
        producer.run(f"write(x, {value})")
        heir = start_gpu()
        assert heir.run("read(context['x']).values()") == [value, value]
        heir.run("context.close()")
        assert heir.end() == 0


def test_writer_waits_for_the_reads_of_who_left_properly(shared):
    producer, consumer = shared
    consumer.run("seen = read(x, ms=300)")
    consumer.start("context.close()")
    producer.run("write(x, 2)")
    consumer.result()
    assert consumer.run("seen.values()") == [1, 1]
    assert producer.run("read(x).values()") == [2, 2]


def test_death_of_the_host_ends_all_use(start_bare, start_gpu, context_name):
    name = f"{context_name}-2"
    host = start_bare(None)
    host.run(f"context = fastio.create_context({name!r})")
    producer, consumer = start_gpu(name), start_gpu(name)
    producer.run("x = device_variable(); write(x, 1); gpu.finish(s)")
    consumer.run("x = context['x']; mapping = x.map('r', timeout=5, stream=s)")
    host.program.kill()
    consumer.run("seen = gpu.read(s, mapping.pointer, 1024)")
    assert consumer.run("seen.values()") == [1, 1]
    for peer in (producer, consumer):
        with pytest.raises(RemoteError, match="HostDiedError"):
            peer.run("context.get('never', timeout=None)")
        with pytest.raises(RemoteError, match="HostDiedError"):
            peer.run("device_variable('y')")
        assert peer.end() == 0
