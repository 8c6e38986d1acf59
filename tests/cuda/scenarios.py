# SPDX-License-Identifier: Apache-2.0
"""What a producer and a consumer do with each other, whatever the mechanism between them is."""

from __future__ import annotations

WORDS = 1 << 20

#: Seconds; asking a process for something and getting its answer takes a few milliseconds.
LONG = 1.0


def make(producer, consumer, *, words=WORDS, **options):
    """Have both open a variable ``x`` that holds ones, with streams ``s`` of their own."""
    given = "".join(f", {name}={value!r}" for name, value in options.items())
    producer.run(f"""
        s = gpu.stream()
        x = context.variable("x", shape=({words},), dtype="u32", memory="device"{given})
        with x.map("w", timeout=10, stream=s) as array:
            gpu.fill(array, 1, s)
        array = None
    """)
    different = consumer.run("""
        s = gpu.stream()
        x = context["x"]
        with x.map("r", timeout=10, stream=s) as array:
            counted = gpu.count(array, 1, s)
        array = None
        gpu.number(counted, s)
    """)
    assert different == 0


def read_while_written(producer, consumer):
    """Let the writer's kernels run long after its unmap, and the reader map meanwhile.

    Returns
    -------
    dict
        Words that the reader saw wrong, who came back before the kernels were done, and host times.
    """
    found = {
        "unmap_ms": producer.run(f"""
            with x.map("w", timeout=10, stream=s) as array:
                gpu.spin({LONG}, s)
                gpu.fill(array, 2, s)
                working = gpu.mark(s)
                begin = time.perf_counter()
            array = None
            1e3 * (time.perf_counter() - begin)
        """),
        "unmap_is_early": producer.run("not working.done"),
        "map_ms": consumer.run("""
            begin = time.perf_counter()
            mapping = x.map("r", timeout=10, stream=s)
            1e3 * (time.perf_counter() - begin)
        """),
        "map_is_early": producer.run("not working.done"),
    }
    found["wrong"] = consumer.run("""
        counted = gpu.count(mapping.array, 2, s)
        mapping.close()
        gpu.number(counted, s)
    """)
    return found


def write_while_read(producer, consumer):
    """Let the reader's kernels run long after its unmap, and the writer map meanwhile.

    Returns
    -------
    dict
        Words that the reader saw of another content than the old one, whether the new one is
        right afterwards, and who came back early.
    """
    producer.run("""
        with x.map("w", timeout=10, stream=s) as array:
            gpu.fill(array, 3, s)
        array = None
    """)
    found = {
        "reader_unmap_is_early": consumer.run(f"""
            with x.map("r", timeout=10, stream=s) as array:
                own = cp.empty(array.shape, array.dtype)
                gpu.spin({LONG}, s)
                gpu.copy(own, array, s)
                working = gpu.mark(s)
            array = None
            not working.done
        """),
        "map_ms": producer.run("""
            begin = time.perf_counter()
            mapping = x.map("w", timeout=10, stream=s)
            taken = 1e3 * (time.perf_counter() - begin)
            gpu.fill(mapping.array, 4, s)
            mapping.commit()
            taken
        """),
        "map_is_early": consumer.run("not working.done"),
        "torn": consumer.run("gpu.number(gpu.count(own, 3, s), s)"),
    }
    found["wrong"] = consumer.run("""
        with x.map("r", timeout=10, stream=s) as array:
            counted = gpu.count(array, 4, s)
        array = None
        gpu.number(counted, s)
    """)
    return found


def frames(producer, consumer, *, number=60, **options):
    """Stream frames, each slower to write than to take; give the wrong words of all of them."""
    given = "".join(f", {name}={value!r}" for name, value in options.items())
    producer.run(f"""
        y = context.variable("y", shape=({WORDS},), dtype="u32", memory="device",
                             queue=fastio.Queue(depth=3){given})
        y.reserve("test")
    """)
    producer.start(f"""
        for i in range({number}):
            with y.next(timeout=20, stream=s) as array:
                gpu.spin(0.002, s)
                gpu.fill(array, i, s)
            array = None
        y.finish()
    """)
    wrong = consumer.run("""
        counted = []
        with context["y"].frames(name="test", timeout=20, stream=s) as edge:
            for frame in edge:
                counted.append(gpu.count(frame.array, frame.number, s))
                frame.release()
        frame = None
        [gpu.number(one, s) for one in counted]
    """)
    producer.result()
    assert len(wrong) == number
    return sum(wrong)
