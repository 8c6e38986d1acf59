# SPDX-License-Identifier: Apache-2.0
"""Who uses no device pays nothing for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ipc.peer import RemoteError


def has_driver(pid):
    return "libfake_cuda" in Path(f"/proc/{pid}/maps").read_text()


def test_import_and_host_memory_load_no_driver(start_bare):
    peer = start_bare()
    peer.run(
        """
        x = context.variable("x", shape=(100,))
        with x.map("w") as array:
            array[...] = 1
        del array
        output = context.variable("frames", shape=(100,), queue=fastio.Queue(depth=2))
        frames = output.frames()
        output.next(timeout=5).commit()
        frames.next(timeout=5).release()
        """
    )
    assert not has_driver(peer.pid)
    assert not peer.run("import sys; [name for name in sys.modules if name.startswith('cupy')]")


def test_host_of_a_context_loads_no_driver(producer, consumer, context):
    producer.run("x = device_variable(); write(x, 1)")
    consumer.run("read(context['x'])")
    assert has_driver(producer.pid)
    assert not has_driver("self")
    assert context["x"].memory == "device"
    assert context["x"].shape == (1024,)
    assert context["x"].wait(timeout=5) == 1
    assert [entry.version for entry in context.entries()] == [1]
    assert not has_driver("self")


def test_driver_is_loaded_when_it_is_asked_for(start_bare):
    peer = start_bare()
    peer.run("fastio.capabilities()")
    assert has_driver(peer.pid)


def test_looking_at_a_device_variable_loads_no_driver(producer, start_bare):
    looker = start_bare()
    producer.run("x = device_variable()")
    assert looker.run("x = context['x']; [x.memory, x.shape, x.nbytes, x.version]") == [
        "device",
        [1024],
        4096,
        0,
    ]
    assert looker.run("x.device").startswith("GPU-")
    assert looker.run("[entry.memory for entry in context.entries()]") == ["device"]
    assert not has_driver(looker.pid)


def test_arrays_without_cupy_say_what_to_install(producer):
    producer.run("import sys; sys.modules['cupy'] = None")
    producer.run("x = device_variable(); mapping = x.map('w', stream=s)")
    with pytest.raises(RemoteError, match=r"DeviceError: .*clara_fastio\[cuda\]"):
        producer.run("mapping.array")
    producer.run("mapping.commit()")
    with pytest.raises(RemoteError, match=r"DeviceError: .*clara_fastio\[cuda\]"):
        producer.run("with x.map('w', stream=s): pass")
    producer.run("write(x, 4)")
    assert producer.run("read(x).values()") == [4, 4]


def test_reading_without_cupy_gives_up_no_lock_for_good(producer, consumer):
    producer.run("x = device_variable(); write(x, 1)")
    consumer.run("import sys; sys.modules['cupy'] = None")
    with pytest.raises(RemoteError, match="DeviceError"):
        consumer.run("with context['x'].map('r', timeout=5, stream=s): pass")
    producer.run("write(x, 2)")
    assert consumer.run("read(context['x']).values()") == [2, 2]
