# SPDX-License-Identifier: Apache-2.0
"""A kernel that does what it may not hurts the process that launched it, and nobody else."""

from __future__ import annotations

import pytest

from tests.ipc.peer import RemoteError

#: Writes through a read mapping, and waits until the device says that it may not.
WRITE_WHERE_ONE_MAY_READ = """
mapping = x.map("r", timeout=20, stream=s)
gpu.fill(s, mapping.pointer, 1024, 99)
try:
    gpu.finish(s)
except gpu.GpuError:
    pass
else:
    raise AssertionError("the device let a kernel write through a read mapping")
"""


@pytest.fixture
def shared(producer, consumer):
    """A producer and a consumer of ``x`` with the content 1."""
    producer.run("x = device_variable(); write(x, 1)")
    consumer.run("x = context['x']; read(x).values()")
    return producer, consumer


def test_read_mapping_is_protected_by_the_device(shared):
    _, consumer = shared
    assert consumer.run("x.transport.read_only")
    consumer.run("mapping = x.map('r', stream=s)")
    assert consumer.run("mapping.is_write_protected")
    consumer.run("mapping.close()")


def test_write_through_a_read_mapping_fails_in_the_offender_only(shared, start_gpu):
    producer, offender = shared
    offender.run(WRITE_WHERE_ONE_MAY_READ)
    bystander = start_gpu()
    assert bystander.run("read(context['x']).values()") == [1, 1]
    with pytest.raises(RemoteError, match=r"CudaError.*ILLEGAL_ADDRESS"):
        offender.run("mapping.close()")
    producer.run("write(x, 2); gpu.finish(s)")
    assert bystander.run("read(context['x']).values()") == [2, 2]


def test_offender_is_told_what_to_do_from_then_on(shared):
    producer, offender = shared
    offender.run(WRITE_WHERE_ONE_MAY_READ)
    with pytest.raises(RemoteError, match="CudaError"):
        offender.run("mapping.close()")
    for code in ("x.map('r', stream=s)", "device_variable('y')"):
        with pytest.raises(RemoteError, match="CudaError") as raised:
            offender.run(code)
        assert "ILLEGAL_ADDRESS" in str(raised.value)
        assert "process" in str(raised.value), "the message does not say what to do"
    offender.run(
        """
        try:
            x.map("r", stream=s)
        except fastio.CudaError as error:
            assert error.status == 700
        """
    )
    producer.run("write(x, 2); gpu.finish(s)")


def test_offender_ends_and_leaves_nothing_behind(shared, context):
    producer, offender = shared
    offender.run(WRITE_WHERE_ONE_MAY_READ)
    with pytest.raises(RemoteError, match="CudaError"):
        offender.run("mapping.close()")
    offender.run("del mapping, x; context.close()")
    assert offender.end() == 0
    producer.run("write(x, 3); gpu.finish(s)")
    assert [process.pid for process in context.processes()].count(offender.pid) == 0


def test_waiting_reader_of_a_producer_whose_device_failed_is_told(shared):
    producer, consumer = shared
    producer.run(
        """
        mapping = x.map("w", timeout=20, stream=s)
        gate = gpu.Gate(s)
        gpu.fill(s, mapping.pointer, 1024, 2)
        mapping.commit()
        """
    )
    consumer.run("mapping = x.map('r', timeout=20, stream=s)")
    producer.run(
        """
        t = gpu.stream()
        gpu.fill(t, 4096, 1, 0)
        try:
            gpu.finish(t)
        except gpu.GpuError:
            pass
        """
    )
    with pytest.raises(RemoteError, match="CudaError"):
        producer.run("x.map('r', timeout=1, stream=s)")
    consumer.run("gpu.finish(s)")
    with pytest.raises(RemoteError, match="PeerDiedError"):
        consumer.run("mapping.close()")
    with pytest.raises(RemoteError, match="PeerDiedError"):
        consumer.run("x.map('r', timeout=1, stream=s)")


def test_failed_write_is_not_given_out_as_whole(shared):
    producer, consumer = shared
    producer.run(
        """
        mapping = x.map("w", timeout=20, stream=s)
        gpu.fill(s, mapping.pointer, 512, 2)
        gpu.fill(s, 4096, 1, 0)
        try:
            gpu.finish(s)
        except gpu.GpuError:
            pass
        """
    )
    with pytest.raises(RemoteError, match="CudaError"):
        producer.run("mapping.commit()")
    with pytest.raises(RemoteError, match=r"PeerDiedError|LockAbandonedError"):
        consumer.run("x.map('r', timeout=1, stream=s)")


def test_device_that_cannot_protect_read_mappings_is_said_to(start_gpu):
    producer = start_gpu()
    producer.run("x = device_variable(); write(x, 1)")
    consumer = start_gpu(errors="cuMemSetAccess:read=801")
    consumer.run("x = context['x']")
    assert consumer.run("read(x).values()") == [1, 1]
    assert not consumer.run("x.transport.read_only")
    assert "NOT_SUPPORTED" in consumer.run("fastio.capabilities().devices[0].read_only")
    consumer.run("mapping = x.map('r', stream=s)")
    assert not consumer.run("mapping.is_write_protected")
    consumer.run("mapping.close()")
    assert producer.run("fastio.capabilities().devices[0].read_only") == ""
