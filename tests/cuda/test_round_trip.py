# SPDX-License-Identifier: Apache-2.0
"""T1: whatever is written in device memory is read by another process, bit for bit."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.study("T1")

DTYPES = (
    *("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
    *("float16", "float32", "float64", "complex64", "complex128"),
)
GIB = 1 << 30

CONTENT = """
def content(dtype, shape, order):
    dtype = np.dtype(dtype)
    nbytes = int(np.prod(shape)) * dtype.itemsize
    noise = np.random.default_rng(nbytes).integers(0, 2 if dtype == bool else 256, nbytes, "uint8")
    return noise.view(dtype).reshape(shape, order=order)
"""


def test_every_element_type_and_order_arrives(pair):
    producer, consumer = pair
    for peer in pair:
        peer.run(CONTENT)
    producer.run(f"""
        s = gpu.stream()
        for dtype in {DTYPES}:
            for order in "CF":
                x = context.variable(dtype + order, shape=(3, 5, 7), dtype=dtype, order=order,
                                     memory="device")
                with x.map("w", timeout=10, stream=s) as array, s:
                    array.set(content(dtype, (3, 5, 7), order))
                    s.synchronize()
        array = None
    """)
    wrong = consumer.run(f"""
        wrong = []
        s = gpu.stream()
        for dtype in {DTYPES}:
            for order in "CF":
                with context[dtype + order].map("r", timeout=10, stream=s) as array, s:
                    expected = content(dtype, (3, 5, 7), order)
                    found = cp.asnumpy(array, stream=s)
                    is_laid_out = array.flags.f_contiguous == (order == "F")
                    if found.tobytes() != expected.tobytes() or not is_laid_out:
                        wrong.append(dtype + order)
        array = None
        wrong
    """)
    assert wrong == []


def test_bfloat16_arrives(pair):
    producer, consumer = pair
    producer.run("""
        s = gpu.stream()
        x = context.variable("x", shape=(1000,), dtype="bfloat16", memory="device")
        mapping = x.map("w", timeout=10, stream=s)
        words = cp.ndarray(
            (500,), np.uint32,
            cp.cuda.MemoryPointer(cp.cuda.UnownedMemory(mapping.pointer, 2000, mapping, 0), 0),
        )
        gpu.pattern(words, 5, s)
        mapping.commit()
        words = None
    """)
    assert consumer.run("""
            s = gpu.stream()
            mapping = context["x"].map("r", timeout=10, stream=s)
            words = cp.ndarray(
                (500,), np.uint32,
                cp.cuda.MemoryPointer(cp.cuda.UnownedMemory(mapping.pointer, 2000, mapping, 0), 0),
            )
            counted = gpu.compare(words, 5, s)
            mapping.close()
            words = None
            gpu.number(counted, s), mapping.nbytes
        """) == [0, 2000]


def test_small_arrays_share_memory_and_keep_their_offsets(pair):
    producer, consumer = pair
    sizes = (1, 2, 3, 255, 256, 257, 4096, 65536, 1 << 20)
    producer.run(f"""
        s = gpu.stream()
        for size in {sizes}:
            for i in range(4):
                x = context.variable(f"{{size}}-{{i}}", shape=(size,), memory="device")
                with x.map("w", timeout=10, stream=s) as array, s:
                    array.fill((size + i) % 251)
        s.synchronize()
        array = None
    """)
    wrong, addresses = consumer.run(f"""
        s = gpu.stream()
        wrong, addresses = [], []
        for size in {sizes}:
            for i in range(4):
                with context[f"{{size}}-{{i}}"].map("r", timeout=10, stream=s) as array, s:
                    addresses.append(array.data.ptr)
                    if set(cp.asnumpy(array, stream=s).tolist()) != {{(size + i) % 251}}:
                        wrong.append((size, i))
        array = None
        wrong, addresses
    """)
    assert wrong == []
    assert len(set(addresses)) == len(addresses)


def test_an_array_without_elements_arrives(pair):
    producer, consumer = pair
    producer.run("""
        x = context.variable("x", shape=(None, 4), dtype="float32", memory="device")
        x.update_shape((0, 4))
        x.allocate()
        with x.map("w", timeout=10, stream=gpu.stream()) as array:
            pass
    """)
    assert consumer.run("""
        with context["x"].map("r", timeout=10, stream=gpu.stream()) as array:
            shape = array.shape
        shape
    """) == [0, 4]


@pytest.mark.alone
@pytest.mark.timeout(60)
@pytest.mark.parametrize("gib", [4.25, 5.5, 8])
def test_a_large_array_arrives(start_peers, device, gib, record_property):
    nbytes = int(gib * GIB)
    if device["free_memory"] < 1.2 * nbytes:
        # A small device tries what it has room for; the report shows how much that was.
        nbytes = int(device["free_memory"] * 0.6) // (2 << 20) * (2 << 20)
    record_property("nbytes", nbytes)
    producer, consumer = start_peers(2, timeout=50)
    producer.run(f"""
        s = gpu.stream()
        x = context.variable("x", shape=({nbytes // 4},), dtype="u32", memory="device")
        with x.map("w", timeout=40, stream=s) as array:
            gpu.pattern(array, 7, s)
        array = None
    """)
    different = consumer.run("""
        s = gpu.stream()
        with context["x"].map("r", timeout=40, stream=s) as array:
            counted = gpu.compare(array, 7, s)
        array = None
        gpu.number(counted, s)
    """)
    assert different == 0
