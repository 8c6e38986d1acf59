# SPDX-License-Identifier: Apache-2.0
"""Producers that host, leave, take over, or were declared by somebody else."""

from __future__ import annotations

import pytest

from tests.helpers.names import unique_name
from tests.ipc.peer import RemoteError


@pytest.mark.parametrize("transport", ["vmm", "legacy"])
def test_host_of_a_context_is_producer_and_consumer(start_gpu, transport):
    name = unique_name()
    host = start_gpu(None, transport=transport)
    host.run(f"context = fastio.create_context({name!r})")
    host.run("x = device_variable(); write(x, 1)")
    other = start_gpu(name, transport=transport)
    assert other.run("read(context['x']).values()") == [1, 1]
    other.run("y = device_variable('y'); write(y, 2)")
    assert host.run("read(context['y']).values()") == [2, 2]
    host.run("gpu.finish(s); context.close()")
    for peer in (other, host):
        assert peer.end() == 0


def test_output_that_was_declared_by_who_has_no_driver(context, start_gpu):
    declared = context.declare("x", (1024,), "u32", producer="maker", memory="device")
    assert declared.memory == "device"
    assert declared.device is None
    socket = context.connection("maker")
    maker = start_gpu(None, pass_fds=[socket])
    maker.run(f"context = fastio.open_context(socket={socket})")
    maker.run("x = context['x']; write(x, 3)")
    reader = start_gpu()
    assert reader.run("read(context['x']).values()") == [3, 3]
    with pytest.raises(RemoteError, match="ReadOnlyError"):
        reader.run("context['x'].map('w', stream=s)")
    assert context["x"].device == maker.run("x.device")


def test_declaration_that_differs_is_refused(producer, consumer):
    producer.run("x = device_variable()")
    for code in (
        "context.variable('x', shape=(1024,), dtype='u32')",
        "context.variable('x', shape=(1024,), dtype='u32', pinned=True)",
    ):
        with pytest.raises(RemoteError, match=r"(AlreadyExists|Shape|Memory)Error.*memory"):
            consumer.run(code)


def test_device_memory_cannot_be_sealed(producer):
    with pytest.raises(RemoteError, match=r"ValueError: .*sealed.*device"):
        producer.run("device_variable(sealed=True)")
    assert producer.run("'x' in context") is False


def test_vmm_content_outlives_a_producer_that_leaves(start_gpu, producer):
    producer.run("x = device_variable(); write(x, 5); gpu.finish(s); context.close()")
    assert producer.end() == 0
    heir = start_gpu()
    assert heir.run("read(context['x']).values()") == [5, 5]
    heir.run("x = device_variable(); write(x, 6)")
    assert start_gpu().run("read(context['x']).values()") == [6, 6]


def test_legacy_content_ends_with_a_producer_that_leaves(start_gpu):
    producer, reader = (start_gpu(transport="legacy") for _ in range(2))
    producer.run("x = device_variable(); write(x, 5)")
    reader.run("x = context['x']; mapping = x.map('r', timeout=5, stream=s)")
    reader.run("seen = gpu.read(s, mapping.pointer, 1024, ms=50); mapping.close()")
    producer.run("context.close()")
    assert reader.run("seen.values()") == [5, 5]
    assert producer.end() == 0
    for late in (reader, start_gpu()):
        with pytest.raises(RemoteError, match="PeerDiedError"):
            late.run("context['x'].map('r', timeout=5, stream=s)")


def test_work_under_way_is_done_when_its_process_leaves(producer, consumer):
    producer.run("x = device_variable(); write(x, 1)")
    consumer.run("x = context['x']; read(x).values()")
    producer.run("write(x, 7, ms=200); context.close()")
    assert consumer.run("read(x).values()") == [7, 7]
    assert producer.end() == 0


def test_process_that_ends_without_closing_keeps_its_promises(producer, consumer):
    producer.run("x = device_variable(); write(x, 1)")
    consumer.run("x = context['x']; read(x).values()")
    producer.run("write(x, 8, ms=100)")
    assert producer.end() == 0
    consumer.run(
        """
        try:
            values = read(x).values()
        except fastio.PeerDiedError:
            values = [8, 8]
        """
    )
    assert consumer.run("values") == [8, 8]


def test_dirty_read_needs_no_lock(producer, consumer):
    producer.run("x = device_variable(); write(x, 1); gpu.finish(s)")
    producer.run("mapping = x.map('w', timeout=5, stream=s)")
    consumer.run("mapping = context['x'].map('r', dirty=True, stream=s)")
    assert consumer.run("gpu.read(s, mapping.pointer, 1024).values()") == [1, 1]
    consumer.run("mapping.close()")
    producer.run("gpu.fill(s, mapping.pointer, 1024, 2); mapping.commit()")
    assert consumer.run("read(context['x']).values()") == [2, 2]
