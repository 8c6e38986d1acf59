# SPDX-License-Identifier: Apache-2.0
"""Devices are found by their UUID, and what is missing is named."""

from __future__ import annotations

import ctypes.util

import pytest

from tests.helpers import fake_cuda
from tests.ipc.peer import RemoteError

FIRST = "GPU-46414b45-4750-5500-0000-000000000000"
SECOND = "GPU-46414b45-4750-5500-0000-000000000001"
ABSENT = "GPU-11111111-2222-3333-4444-555555555555"
MIB = 1 << 20


def test_capabilities_of_two_devices(start_gpu):
    peer = start_gpu(devices=2, memory=4096 * MIB, version=12040)
    peer.run("found = fastio.capabilities()")
    assert peer.run("found.available, found.reason, found.driver_version") == [True, "", [12, 4]]
    assert peer.run("found.driver").endswith("libfake_cuda.so")
    assert peer.run("[(one.ordinal, one.uuid, one.name) for one in found.devices]") == [
        [0, FIRST, "Fake GPU 0"],
        [1, SECOND, "Fake GPU 1"],
    ]
    assert peer.run("[one.memory for one in found.devices]") == [4096 * MIB] * 2
    assert peer.run("found.devices[0].transports") == {"vmm": "", "legacy": ""}
    assert peer.run("found.devices[0].orders") == {"timeline": "", "events": "", "synchronize": ""}
    assert peer.run("found.devices[0].granularity, found.devices[0].compute_capability") == [
        2 * MIB,
        90,
    ]


def test_device_is_named_in_three_ways(start_gpu):
    producer, consumer = start_gpu(devices=2), start_gpu(devices=2, visible="1,0")
    producer.run("gpu.use(1); t = gpu.stream()")
    consumer.run("gpu.use(0); t = gpu.stream()")
    for value, device in enumerate(["1", "'cuda:1'", repr(SECOND)]):
        producer.run(f"x = device_variable('x{value}', device={device}); write(x, {value}, on=t)")
        assert producer.run("x.device") == SECOND
        consumer.run(f"x = context['x{value}']")
        assert consumer.run("x.device, x.transport.device") == [SECOND, SECOND]
        assert consumer.run("read(x, on=t).values()") == [value, value]
    for peer, ordinal in ((producer, 1), (consumer, 0)):
        peer.run("mapping = x.map('r', timeout=5, stream=t)")
        assert peer.run("mapping.__dlpack_device__()") == [2, ordinal]
        peer.run("mapping.close()")


def test_default_device_is_the_current_or_first_one(start_gpu):
    producer = start_gpu(devices=2)
    producer.run("x = device_variable()")
    assert producer.run("x.device") == FIRST


@pytest.mark.parametrize("visible", ["", "-1"])
def test_consumer_that_sees_no_device_is_told_which_it_needs(producer, start_bare, visible):
    producer.run("x = device_variable(); write(x, 1)")
    blind = start_bare(visible=visible)
    assert not blind.run("fastio.capabilities().available")
    assert "CUDA_VISIBLE_DEVICES" in blind.run("fastio.capabilities().reason")
    assert blind.run("x = context['x']; x.shape, x.nbytes, x.version, x.device") == [
        [1024],
        4096,
        1,
        FIRST,
    ]
    assert blind.run("[entry.shape for entry in context.entries()]") == [[1024]]
    with pytest.raises(RemoteError, match="DeviceNotFoundError") as raised:
        blind.run("context['x'].map('r', timeout=1)")
    assert "CUDA_VISIBLE_DEVICES" in str(raised.value)
    with pytest.raises(RemoteError, match="DeviceNotFoundError"):
        blind.run("context.variable('y', shape=(3,), memory='device')")
    assert blind.run("'y' in context") is False
    assert producer.run("read(x).values()") == [1, 1]


def test_consumer_that_sees_another_device_is_told_which_it_needs(start_gpu, start_bare):
    producer = start_gpu(devices=2)
    producer.run("gpu.use(1); t = gpu.stream(); x = device_variable(device=1); write(x, 1, on=t)")
    other = start_bare(devices=2, visible="0")
    with pytest.raises(RemoteError, match="DeviceNotFoundError") as raised:
        other.run("context['x'].map('r', timeout=1)")
    for word in (SECOND, "CUDA_VISIBLE_DEVICES"):
        assert word in str(raised.value)


def test_device_that_is_not_there(producer):
    for device in ("1", "7", "'cuda:1'", repr(ABSENT)):
        with pytest.raises(RemoteError, match="DeviceNotFoundError") as raised:
            producer.run(f"device_variable(device={device})")
        assert device.strip("'").removeprefix("cuda:") in str(raised.value)
        assert producer.run("'x' in context") is False
    assert producer.run("device_variable().device") == FIRST


def test_name_of_a_device_that_cannot_be(producer):
    for device, error in (
        ("-1", "ValueError"),
        ("2**40", "ValueError"),
        ("1.5", "TypeError"),
        ("b'GPU'", "TypeError"),
        ("'GPU-nonsense'", "ValueError|DeviceNotFoundError"),
        ("'cuda:'", "ValueError|DeviceNotFoundError"),
        ("'cuda:-1'", "ValueError|DeviceNotFoundError"),
        ("''", "ValueError"),
    ):
        with pytest.raises(RemoteError, match=error):
            producer.run(f"device_variable(device={device})")
        assert producer.run("'x' in context") is False


@pytest.mark.parametrize(
    ("driver", "words"),
    [
        ("/nowhere/libcuda.so.1", ["/nowhere/libcuda.so.1"]),
        ("/etc/passwd", ["/etc/passwd"]),
        (ctypes.util.find_library("m"), ["cuInit"]),
    ],
    ids=["missing", "not a library", "another library"],
)
def test_no_driver_at_all(start_bare, driver, words):
    peer = start_bare(driver=driver)
    assert peer.run("fastio.capabilities().available") is False
    reason = peer.run("fastio.capabilities().reason")
    assert peer.run("fastio.capabilities().devices") == []
    for word in words:
        assert word in reason
    with pytest.raises(RemoteError, match="DeviceNotFoundError") as raised:
        peer.run("context.variable('x', shape=(3,), memory='device')")
    assert reason in str(raised.value)
    assert "driver" in str(raised.value)
    peer.run("context.variable('y', shape=(3,), pinned=True).map('w').commit()")
    assert peer.run("context['y'].is_pinned") is False
    assert peer.run("context['y'].pin_refusal")


def test_driver_that_is_too_old(start_bare):
    peer = start_bare(driver=fake_cuda.library().with_name("libold_cuda.so"))
    assert peer.run("fastio.capabilities().available") is False
    with pytest.raises(RemoteError, match=r"DeviceNotFoundError.*11\.2.*newer"):
        peer.run("context.variable('x', shape=(3,), memory='device')")
    assert peer.run("'x' in context") is False


def test_device_that_is_full(start_gpu):
    peer = start_gpu(memory=256 * MIB)
    with pytest.raises(RemoteError, match="OutOfMemoryError") as raised:
        peer.run(f"device_variable(words={512 * MIB // 4})")
    assert "device" in str(raised.value) or "GPU" in str(raised.value)
    peer.run(
        f"""
        try:
            device_variable(words={512 * MIB // 4})
        except fastio.OutOfMemoryError as error:
            assert error.requested >= {512 * MIB}, error.requested
            assert 0 < error.available <= {256 * MIB}, error.available
        """
    )
    assert peer.run("'x' in context") is False
    peer.run(f"x = device_variable(words={64 * MIB // 4}); write(x, 5)")
    assert peer.run("read(x).values()") == [5, 5]


def test_device_fills_up_and_is_emptied_again(start_gpu):
    peer = start_gpu(memory=300 * MIB)
    peer.run(
        f"""
        kept = []

        def fill_up():
            try:
                while True:
                    kept.append(device_variable(f"x{{len(kept)}}", {64 * MIB // 4}))
                    write(kept[-1], len(kept))
            except fastio.OutOfMemoryError:
                return len(kept)
        """
    )
    assert peer.run("fill_up()") == 4
    for count in (1, 4, 2):
        peer.run(f"for _ in range({count}): kept.pop().free()")
        assert peer.run("fill_up()") == 4
        assert peer.run("[read(one).values() for one in kept]") == [[i, i] for i in range(1, 5)]
