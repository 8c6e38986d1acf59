# SPDX-License-Identifier: Apache-2.0
"""What one process writes into device memory, others read, bit by bit."""

from __future__ import annotations

import pytest

from clara_fastio.types import ElementType

MIB = 1 << 20
TRANSPORTS = ["vmm", "legacy", "host"]
SHAPES = [(), (1,), (3,), (2, 3, 5, 7), (1,) * 31 + (9,), (257, 129)]

SEND = """
def send(name, shape, dtype, order="C", seed=0):
    variable = context.variable(name, shape=shape, dtype=dtype, order=order, memory="device",
                                fallback="host")
    data = gpu.pattern(shape, variable.dtype, seed).tobytes(order)
    mapping = variable.map("w", stream=s)
    assert mapping.shape == tuple(shape) and mapping.nbytes == len(data)
    if data:
        gpu.upload(s, mapping.pointer, data)
    mapping.commit()
"""

RECEIVE = """
def has_arrived(name, shape, seed=0):
    variable = context.get(name, timeout=10)
    mapping = variable.map("r", timeout=10, stream=s)
    assert mapping.shape == tuple(shape)
    buffer = gpu.download(s, mapping.pointer, mapping.nbytes)
    nbytes = mapping.nbytes
    mapping.close()
    gpu.finish(s)
    return buffer.raw[:nbytes] == gpu.pattern(shape, variable.dtype, seed).tobytes(variable.order)
"""


@pytest.fixture(params=TRANSPORTS)
def pair(start_gpu, request):
    """A process that sends, one that receives, and the mechanism between them."""
    sender, receiver = (start_gpu(transport=request.param) for _ in range(2))
    sender.run(SEND)
    receiver.run(RECEIVE)
    return sender, receiver, request.param


def test_every_element_type_order_and_shape(pair):
    sender, receiver, transport = pair
    for order in "CF":
        for dtype in ElementType:
            name = f"{dtype}-{order}"
            sender.run(f"send({name!r}, (5, 4, 3), {str(dtype)!r}, {order!r})")
            assert receiver.run(f"has_arrived({name!r}, (5, 4, 3))"), name
    assert receiver.run("context['uint8-C'].transport.memory") == transport
    for number, shape in enumerate(SHAPES):
        sender.run(f"send('x{number}', {shape}, 'u16')")
        assert receiver.run(f"has_arrived('x{number}', {shape})"), shape


def test_arrays_that_share_a_segment_do_not_touch(pair):
    sender, receiver, _ = pair
    sizes = [1, 255, 256, 257, 4095, 65536, 70001, 3] * 8
    for number, size in enumerate(sizes):
        sender.run(f"send('x{number}', ({size},), 'u8', seed={number})")
    for number, size in enumerate(sizes):
        assert receiver.run(f"has_arrived('x{number}', ({size},), seed={number})"), number
    if pair[2] != "host":
        assert receiver.run("fastio.capabilities().opens") == 1


def test_every_size(pair):
    sender, receiver, transport = pair
    largest = 48 * MIB + 3 if transport == "host" else 300 * MIB + 1
    for nbytes in [1, 4099, 2 * MIB - 1, 2 * MIB, largest]:
        sender.run(
            f"""
            x = context.variable("x", shape=({nbytes},), memory="device", fallback="host")
            mapping = x.map("w", stream=s)
            gpu.fill(s, mapping.pointer, {nbytes} // 4, 0x01020304)
            gpu.upload(s, mapping.pointer + {nbytes} - 1, b"!")
            mapping.commit()
            """
        )
        receiver.run(
            f"""
            mapping = context["x"].map("r", timeout=10, stream=s)
            seen = gpu.read(s, mapping.pointer, ({nbytes} - 1) // 4)
            last = gpu.download(s, mapping.pointer + {nbytes} - 1, 1)
            mapping.close()
            gpu.finish(s)
            """
        )
        assert receiver.run("last.raw.decode()") == "!"
        if nbytes > 4:
            assert receiver.run("seen.values()") == [0x01020304, 0x01020304], nbytes
        sender.run("x.free()")


def test_more_than_four_gibibytes(start_gpu):
    nbytes = 5504 * MIB + 3
    sender, receiver = (start_gpu(memory=8192 * MIB) for _ in range(2))
    sender.run(
        f"""
        x = context.variable("x", shape=({nbytes},), memory="device")
        mapping = x.map("w", stream=s)
        for at in (0, 1 << 32, {nbytes} - 3):
            gpu.upload(s, mapping.pointer + at, b"%3d" % (at % 997))
        mapping.commit()
        """
    )
    receiver.run(
        f"""
        mapping = context["x"].map("r", timeout=10, stream=s)
        assert mapping.nbytes == {nbytes} and mapping.shape == ({nbytes},)
        parts = [gpu.download(s, mapping.pointer + at, 3) for at in (0, 1 << 32, {nbytes} - 3)]
        mapping.close()
        gpu.finish(s)
        """
    )
    assert receiver.run("[int(part.raw) for part in parts]") == [
        at % 997 for at in (0, 1 << 32, nbytes - 3)
    ]


def test_shape_that_changes(pair):
    sender, receiver, _ = pair
    sender.run(
        """
        x = context.variable("x", shape=(None, 8), dtype="f32", memory="device", fallback="host")
        def send(rows):
            x.update_shape((rows, 8))
            mapping = x.map("w", timeout=10, stream=s)
            if rows:
                gpu.upload(s, mapping.pointer, gpu.pattern((rows, 8), x.dtype, rows).tobytes())
            x.attrs["rows"] = rows
            mapping.commit()
        """
    )
    for rows in [3, 100, 1, 0, 70_000, 2]:
        sender.run(f"send({rows})")
        assert receiver.run(f"has_arrived('x', ({rows}, 8), {rows})"), rows
        assert receiver.run("context['x'].attrs['rows']") == rows


def test_change_in_place_keeps_the_rest(pair):
    sender, receiver, _ = pair
    sender.run(
        """
        block = context.create(4096, zero=True, memory="device", fallback="host")
        block.set_type_and_dimensions("u32", (1024,))
        block.publish("block")
        """
    )
    receiver.run("block = context['block']")
    assert receiver.run("read(block).values()") == [0, 0]
    receiver.run("write(block, 5)")
    assert sender.run("read(block).values()") == [5, 5]
    sender.run(
        """
        mapping = block.map("r+", timeout=10, stream=s)
        gpu.add(s, mapping.pointer, mapping.pointer, 512, 1)
        mapping.commit()
        """
    )
    receiver.run(
        """
        mapping = block.map("r", timeout=10, stream=s)
        halves = [gpu.read(s, mapping.pointer + at, 512) for at in (0, 2048)]
        mapping.close()
        """
    )
    assert receiver.run("[half.values() for half in halves]") == [[6, 6], [5, 5]]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_zero_clears_recycled_memory(start_gpu, transport):
    start_gpu(transport=transport).run(
        """
        for _ in range(3):
            block = context.create(1 << 20, zero=True, memory="device", fallback="host")
            mapping = block.map("r", stream=s)
            seen = gpu.read(s, mapping.pointer, mapping.nbytes // 4)
            mapping.close()
            assert seen.values() == [0, 0], seen.values()
            mapping = block.map("w", stream=s)
            gpu.fill(s, mapping.pointer, mapping.nbytes // 4, 77)
            mapping.commit()
            block.release()
        """
    )
