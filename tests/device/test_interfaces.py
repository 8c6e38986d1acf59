# SPDX-License-Identifier: Apache-2.0
"""DLPack and the CUDA array interface, as other libraries see them."""

from __future__ import annotations

import pytest

from tests.ipc.peer import RemoteError


@pytest.fixture
def shared(producer, consumer):
    """A producer and a consumer of ``x``, 4 by 256 numbers that are 1."""
    producer.run(
        """
        import capsules
        x = context.variable("x", shape=(4, 256), dtype="i32", memory="device")
        write(x, 1)
        """
    )
    consumer.run("import capsules; x = context['x']; read(x).values()")
    return producer, consumer


def test_capsule_says_where_and_what(shared):
    producer, consumer = shared
    consumer.run("mapping = x.map('r', timeout=5, stream=s)")
    found = consumer.run("capsules.describe(mapping.__dlpack__(stream=s, max_version=(1, 0)))")
    assert found == {
        "name": "dltensor_versioned",
        "major": 1,
        "flags": 1,
        "pointer": consumer.run("mapping.pointer"),
        "device": [2, 0],
        "type": [0, 32, 1],
        "shape": [4, 256],
        "strides": found["strides"],
    }
    assert found["strides"] in (None, [256, 1])
    assert consumer.run("mapping.__dlpack_device__()") == [2, 0]
    consumer.run("mapping.close()")
    producer.run("mapping = x.map('w', timeout=5, stream=s)")
    found = producer.run("capsules.describe(mapping.__dlpack__(stream=s, max_version=(1, 1)))")
    assert found["flags"] == 0
    producer.run("mapping.commit()")


def test_capsule_of_column_major_memory_has_strides(producer):
    producer.run(
        """
        import capsules
        x = context.variable("x", shape=(4, 5, 6), dtype="f64", order="F", memory="device")
        mapping = x.map("w", stream=s)
        found = capsules.describe(mapping.__dlpack__(stream=s, max_version=(1, 0)))
        interface = mapping.__cuda_array_interface__
        mapping.commit()
        """
    )
    assert producer.run("found['shape'], found['strides']") == [[4, 5, 6], [1, 4, 20]]
    assert producer.run("found['type']") == [2, 64, 1]
    assert producer.run("interface['strides']") == [8, 32, 160]


def test_consumer_of_the_first_version_gets_only_what_may_be_written(shared):
    producer, consumer = shared
    producer.run("mapping = x.map('w', timeout=5, stream=s)")
    assert producer.run("capsules.describe(mapping.__dlpack__(stream=s))['name']") == "dltensor"
    producer.run("mapping.commit()")
    consumer.run("mapping = x.map('r', timeout=5, stream=s)")
    with pytest.raises(RemoteError, match=r"BufferError: .*read-only"):
        consumer.run("mapping.__dlpack__(stream=s)")
    consumer.run("mapping.close()")


def test_what_a_consumer_cannot_have(producer):
    producer.run("mapping = device_variable().map('w', timeout=5, stream=s)")
    for arguments, error in (
        ("stream=s, dl_device=(1, 0)", "BufferError"),
        ("stream=s, dl_device=(2, 1)", "BufferError"),
        ("stream=s, copy=True", "BufferError: .*cop"),
        ("stream='x'", "TypeError: a stream is"),
        ("stream=-2", "ValueError"),
    ):
        with pytest.raises(RemoteError, match=error):
            producer.run(f"mapping.__dlpack__(max_version=(1, 0), {arguments})")
    producer.run("mapping.commit()")


def test_stream_of_a_consumer_waits_for_the_content(shared):
    producer, consumer = shared
    for value, stream in enumerate(("gpu.stream()", "None", "1", "2"), 2):
        producer.run(
            f"""
            mapping = x.map("w", timeout=5, stream=s)
            gate = gpu.Gate(s)
            gpu.fill(s, mapping.pointer, 1024, {value}, ms=5)
            mapping.commit()
            """
        )
        consumer.run(
            f"""
            theirs = {stream}
            mapping = x.map("r", timeout=20, stream=s)
            capsule = mapping.__dlpack__(stream=theirs, max_version=(1, 0))
            theirs = theirs or 1
            seen = gpu.read(theirs, mapping.pointer, 1024, ms=20)
            """
        )
        assert not consumer.run("gpu.is_done(theirs)")
        producer.run("gate.open()")
        assert consumer.run("seen.values()") == [value, value], stream
        consumer.run("mapping.close()")


def test_end_of_the_mapping_waits_for_the_stream_of_a_consumer(shared):
    producer, consumer = shared
    consumer.run(
        """
        t = gpu.stream()
        mapping = x.map("r", timeout=20, stream=s)
        capsule = mapping.__dlpack__(stream=t, max_version=(1, 0))
        gate = gpu.Gate(t)
        seen = gpu.read(t, mapping.pointer, 1024, ms=10)
        mapping.close()
        """
    )
    producer.run("write(x, 2)")
    assert not producer.run("gpu.is_done(s)")
    consumer.run("gate.open()")
    assert consumer.run("seen.values()") == [1, 1]
    assert consumer.run("read(x).values()") == [2, 2]


def test_consumer_that_wants_no_order_gets_none(shared):
    producer, consumer = shared
    producer.run(
        """
        mapping = x.map("w", timeout=5, stream=s)
        gate = gpu.Gate(s)
        mapping.commit()
        """
    )
    consumer.run("t = gpu.stream(); mapping = x.map('r', timeout=20, stream=s)")
    consumer.run("capsule = mapping.__dlpack__(stream=-1, max_version=(1, 0))")
    consumer.run("gpu.read(t, mapping.pointer, 1); gpu.finish(t)")
    assert not consumer.run("gpu.is_done(s)")
    producer.run("gate.open()")
    consumer.run("mapping.close()")


def test_array_interface(shared):
    producer, consumer = shared
    consumer.run("mapping = x.map('r', timeout=5, stream=s)")
    found = consumer.run("mapping.__cuda_array_interface__")
    assert found == {
        "shape": [4, 256],
        "typestr": "<i4",
        "data": [consumer.run("mapping.pointer"), True],
        "strides": None,
        "stream": consumer.run("s"),
        "version": 3,
    }
    consumer.run("mapping.close(); mapping = x.map('r', timeout=5)")
    assert consumer.run("mapping.__cuda_array_interface__['stream']") == 1
    consumer.run("mapping.close()")
    producer.run("mapping = x.map('w', timeout=5, stream=2)")
    assert producer.run("mapping.__cuda_array_interface__['stream']") == 2
    assert producer.run("mapping.__cuda_array_interface__['data'][1]") is False
    producer.run("mapping.commit()")


def test_capsule_keeps_the_memory_mapped(shared):
    producer, consumer = shared
    consumer.run(
        """
        mapping = x.map("r", timeout=5, stream=s)
        capsule = mapping.__dlpack__(stream=s, max_version=(1, 0))
        pointer = mapping.pointer
        mapping.close()
        x.release()
        del x, mapping
        fastio._core.set_cache_limit(0)
        """
    )
    producer.run("x.free(); del x; y = [device_variable(f'y{i}') for i in range(4)]")
    producer.run("for one in y: write(one, 9)")
    consumer.run("seen = gpu.read(s, pointer, 1024)")
    assert consumer.run("seen.values()") == [1, 1]
    consumer.run("del capsule")
