# SPDX-License-Identifier: Apache-2.0
"""Host memory that is registered with the devices of the processes that use one."""

from __future__ import annotations

import pytest

MIB = 1 << 20


@pytest.fixture
def start_pinned(start_gpu):
    """Start a process that has used its device, and knows what was registered till then."""

    def start(**settings):
        peer = start_gpu(**settings)
        peer.run("fastio.capabilities(); before = gpu.registered()")
        return peer

    return start


def pinned_bytes(peer):
    return peer.run("gpu.registered() - before")


def test_segment_is_registered_once_in_each_process(start_pinned):
    producer, consumer = start_pinned(), start_pinned()
    producer.run(f"x = context.variable('x', shape=({MIB},), pinned=True)")
    producer.run("with x.map('w') as array: array[...] = 3")
    registered = pinned_bytes(producer)
    assert registered >= MIB
    assert producer.run("x.is_pinned, x.pin_refusal") == [True, ""]
    consumer.run("x = context['x']")
    for _ in range(3):
        assert consumer.run("with x.map('r', timeout=5) as array: total = int(array.sum())") is None
        assert consumer.run("total") == 3 * MIB
        producer.run("with x.map('w', timeout=5) as array: array[...] = 3")
    assert pinned_bytes(producer) == registered
    assert pinned_bytes(consumer) >= MIB
    assert consumer.run("x.is_pinned")
    calls = consumer.run("gpu.calls('cuMemHostRegister_v2')")
    consumer.run("for _ in range(100): x.map('r', timeout=5).close()")
    assert consumer.run("gpu.calls('cuMemHostRegister_v2')") == calls


def test_small_variables_share_one_registration(start_pinned):
    producer = start_pinned()
    calls = producer.run("gpu.calls('cuMemHostRegister_v2')")
    producer.run(
        """
        several = [context.variable(f"x{i}", shape=(100,), pinned=True) for i in range(20)]
        for one in several:
            one.map("w").commit()
        """
    )
    assert producer.run("all(one.is_pinned for one in several)")
    assert producer.run("gpu.calls('cuMemHostRegister_v2')") - calls == 1


def test_it_is_unregistered_before_it_is_unmapped(start_pinned):
    producer, consumer = start_pinned(), start_pinned()
    producer.run(f"x = context.variable('x', shape=({MIB},), pinned=True); x.map('w').commit()")
    consumer.run("x = context['x']; x.map('r', timeout=5).close(); x.release(); del x")
    producer.run("x.free(); del x; context.close()")
    consumer.run("context.close()")
    for peer in (producer, consumer):
        assert pinned_bytes(peer) == 0
        assert peer.end() == 0


def test_process_without_a_device_registers_nothing(producer, start_bare):
    bare = start_bare()
    bare.run("x = context.variable('x', shape=(1000,), pinned=True)")
    bare.run("with x.map('w') as array: array[...] = 4")
    assert bare.run("x.is_pinned") is False
    assert bare.run("x.pin_refusal")
    bare.run(
        """
        import ctypes, os
        driver = ctypes.CDLL(os.environ["CLARA_FASTIO_CUDA_DRIVER"])
        driver.fakeCudaRegisteredBytes.restype = ctypes.c_ulonglong
        """
    )
    assert bare.run("driver.fakeCudaRegisteredBytes()") == 0
    producer.run("with context['x'].map('r', timeout=5) as array: total = int(array.sum())")
    assert producer.run("total") == 4000


def test_process_with_no_driver_says_why_it_does_not_pin(start_bare):
    bare = start_bare(driver="/nowhere/libcuda.so.1")
    bare.run("x = context.variable('x', shape=(1000,), pinned=True); x.map('w').commit()")
    assert bare.run("x.is_pinned") is False
    assert bare.run("x.pin_refusal")


def test_readers_need_an_attribute_of_the_device(start_pinned):
    producer, consumer = start_pinned(), start_pinned(attributes="113=0")
    producer.run("x = context.variable('x', shape=(1000,), pinned=True); x.map('w').commit()")
    consumer.run("x = context['x']; x.map('r', timeout=5).close()")
    assert producer.run("x.is_pinned")
    assert consumer.run("x.is_pinned") is False
    assert "read" in consumer.run("x.pin_refusal")
    assert pinned_bytes(consumer) == 0
    assert not consumer.run("fastio.capabilities().devices[0].pins_read_only")
    assert producer.run("fastio.capabilities().devices[0].pins_read_only")


def test_refusal_of_the_driver_is_told_and_hurts_nobody(start_pinned):
    producer = start_pinned(errors="cuMemHostRegister_v2=2@3+")
    producer.run("x = context.variable('x', shape=(4096,), pinned=True)")
    producer.run("with x.map('w') as array: array[...] = 1")
    if not producer.run("x.is_pinned"):
        assert "OUT_OF_MEMORY" in producer.run("x.pin_refusal")
    producer.run("y = context.variable('y', shape=(1 << 20,), pinned=True); y.map('w').commit()")
    assert producer.run("y.is_pinned") is False
    assert "OUT_OF_MEMORY" in producer.run("y.pin_refusal")


def test_frames_are_pinned(start_pinned):
    producer, consumer = start_pinned(), start_pinned()
    producer.run(
        f"""
        output = context.variable("frames", shape=({MIB},), queue=fastio.Queue(3), pinned=True)
        output.reserve("test")
        with output.next(timeout=5) as array:
            array[...] = 5
        output.finish()
        """
    )
    assert pinned_bytes(producer) >= 3 * MIB
    consumer.run("frames = context['frames'].frames(name='test', timeout=5)")
    assert consumer.run("frame = frames.next(); int(frame.array[7])") == 5
    assert pinned_bytes(consumer) >= 3 * MIB


def test_copies_from_pinned_memory_are_whole(start_pinned):
    producer, consumer = start_pinned(), start_pinned()
    producer.run(
        """
        h = context.variable("h", shape=(4096,), dtype="u32", pinned=True)
        with h.map("w") as array:
            array[...] = 77
        x = device_variable("x", 4096)
        source = h.map("r")
        target = x.map("w", stream=s)
        import ctypes
        gpu.call("cuMemcpyHtoDAsync_v2", ctypes.c_ulonglong(target.pointer),
                 ctypes.c_void_p(source.pointer), ctypes.c_size_t(4 * 4096), ctypes.c_void_p(s))
        target.commit()
        """
    )
    assert consumer.run("read(context['x']).values()") == [77, 77]
    producer.run("gpu.finish(s); source.close()")
