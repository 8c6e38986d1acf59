# SPDX-License-Identifier: Apache-2.0
"""Work of several processes on one array runs in order, and no host waits for a device."""

from __future__ import annotations

import pytest

#: Of a producer and two others: the same for all, and each beside each.
MIXED = [
    ("timeline", "timeline", "timeline"),
    ("events", "events", "events"),
    ("timeline", "events", "synchronize"),
    ("events", "synchronize", "timeline"),
    ("synchronize", "timeline", "events"),
]

#: Leaves a write of 2 behind that is committed and not done.
COMMIT_BEHIND_A_GATE = """
mapping = x.map("w", timeout=20, stream=s)
gate = gpu.Gate(s)
gpu.fill(s, mapping.pointer, 1024, 2, ms=5)
mapping.commit()
"""


@pytest.fixture(params=[("vmm", "timeline"), ("legacy", "events")], ids="-".join)
def pair(start_gpu, request):
    """Two processes that have ``x`` with the content 1, all that is done once is done."""
    transport, order = request.param
    producer, consumer = (start_gpu(transport=transport, sync=order) for _ in range(2))
    producer.run("x = device_variable(); write(x, 1); gpu.finish(s)")
    assert consumer.run("x = context['x']; read(x).values()") == [1, 1]
    assert producer.run("x.transport.order") == consumer.run("x.transport.order") == order
    for peer in (producer, consumer):
        peer.run("synchronized = gpu.calls('cuStreamSynchronize')")
    return producer, consumer


def waited_on_the_host(*peers):
    return any(peer.run("gpu.calls('cuStreamSynchronize') != synchronized") for peer in peers)


def test_reader_maps_while_the_writing_kernel_runs(pair):
    producer, consumer = pair
    producer.run(COMMIT_BEHIND_A_GATE)
    consumer.run("seen = read(x)")
    assert not producer.run("gpu.is_done(s)")
    assert not consumer.run("gpu.is_done(s)")
    producer.run("gate.open()")
    assert consumer.run("seen.values()") == [2, 2]
    assert not waited_on_the_host(producer, consumer)


def test_slow_reader_keeps_the_old_content_whole(pair):
    producer, consumer = pair
    consumer.run(
        """
        mapping = x.map("r", timeout=20, stream=s)
        gate = gpu.Gate(s)
        seen = gpu.read(s, mapping.pointer, 1024, ms=20)
        mapping.close()
        """
    )
    producer.run("write(x, 2)")
    assert not producer.run("gpu.is_done(s)")
    consumer.run("gate.open()")
    assert consumer.run("seen.values()") == [1, 1]
    assert consumer.run("read(x).values()") == [2, 2]
    assert not waited_on_the_host(producer, consumer)


def test_writer_waits_for_reads_on_each_stream_of_a_process(pair):
    producer, consumer = pair
    consumer.run(
        """
        streams = [gpu.stream() for _ in range(3)]
        gates, seen = [], []
        for stream in streams:
            mapping = x.map("r", timeout=20, stream=stream)
            gates.append(gpu.Gate(stream))
            seen.append(gpu.read(stream, mapping.pointer, 1024, ms=5))
            mapping.close()
        """
    )
    producer.run("write(x, 2)")
    for index in (2, 0):
        consumer.run(f"gates[{index}].open(); gpu.finish(streams[{index}])")
        assert not producer.run("gpu.is_done(s)")
    consumer.run("gates[1].open()")
    assert consumer.run("[one.values() for one in seen]") == [[1, 1]] * 3
    assert consumer.run("read(x).values()") == [2, 2]
    assert not waited_on_the_host(producer, consumer)


def test_streams_of_one_process_do_not_hold_each_other_up(pair):
    _, consumer = pair
    consumer.run(
        """
        slow, quick = gpu.stream(), gpu.stream()
        mapping = x.map("r", timeout=20, stream=slow)
        gate = gpu.Gate(slow)
        mapping.close()
        for _ in range(20):
            assert read(x, on=quick).values() == [1, 1]
        assert not gpu.is_done(slow)
        gate.open()
        """
    )


def test_nested_reads_of_a_process_hold_the_writer_until_both_are_done(pair):
    producer, consumer = pair
    consumer.run(
        """
        t = gpu.stream()
        outer = x.map("r", timeout=20, stream=s)
        inner = x.map("r", timeout=20, stream=t)
        gates = [gpu.Gate(s), gpu.Gate(t)]
        seen = [gpu.read(s, outer.pointer, 1024, ms=5), gpu.read(t, inner.pointer, 1024, ms=5)]
        outer.close()
        inner.close()
        """
    )
    producer.run("write(x, 2)")
    consumer.run("gates[1].open(); gpu.finish(t)")
    assert not producer.run("gpu.is_done(s)")
    consumer.run("gates[0].open()")
    assert consumer.run("[one.values() for one in seen]") == [[1, 1]] * 2
    assert consumer.run("read(x).values()") == [2, 2]


def test_chain_is_built_before_its_first_kernel_has_run(pair, start_gpu):
    first, second = pair
    third = start_gpu()
    third.run("synchronized = gpu.calls('cuStreamSynchronize')")
    second.run("y = device_variable('y')")
    first.run(COMMIT_BEHIND_A_GATE)
    second.run(
        """
        source, target = x.map("r", timeout=20, stream=s), y.map("w", timeout=20, stream=s)
        gpu.add(s, target.pointer, source.pointer, 1024, 10, ms=5)
        source.close()
        target.commit()
        """
    )
    third.run("seen = read(context['y'])")
    assert not first.run("gpu.is_done(s)")
    assert not third.run("gpu.is_done(s)")
    first.run("gate.open()")
    assert third.run("seen.values()") == [12, 12]
    assert not waited_on_the_host(first, second)


@pytest.mark.parametrize("orders", MIXED, ids="-".join)
def test_changes_by_processes_with_any_orders_are_all_there(start_gpu, orders):
    peers = [start_gpu(sync=order, delay="0-500", seed=7) for order in orders]
    peers[0].run(
        """
        block = context.create(4096, zero=True, memory="device")
        block.set_type_and_dimensions("u32", (1024,))
        block.publish("block")
        """
    )
    for peer in peers:
        peer.run("block = context['block']; streams = [s, gpu.stream(), gpu.stream()]")
        peer.start(
            """
            for i in range(20):
                on = streams[i % 3]
                mapping = block.map("r+", timeout=20, stream=on)
                gpu.add(on, mapping.pointer, mapping.pointer, 1024, 1)
                mapping.commit()
                if i % 4 == 0:
                    read(block, on=streams[i % 2])
            """
        )
    for peer in peers:
        peer.result()
    for peer in peers:
        assert peer.run("read(block).values()") == [60, 60]


@pytest.mark.parametrize("orders", MIXED, ids="-".join)
def test_readers_never_see_half_a_write(start_gpu, orders):
    producer, consumer = (start_gpu(sync=order, delay="0-500") for order in orders[:2])
    producer.run("x = device_variable(); write(x, 1)")
    consumer.run("x = context['x']; streams = [s, gpu.stream()]")
    consumer.start(
        "[one.values() for one in [read(x, ms=1, on=streams[i % 2]) for i in range(40)]]"
    )
    producer.run("for i in range(2, 60): write(x, i, ms=1)")
    for least, most in consumer.result():
        assert least == most
    assert consumer.run("read(x).values()") == [59, 59]
