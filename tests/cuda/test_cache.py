# SPDX-License-Identifier: Apache-2.0
"""T5, T6 and T7: memory is opened once, found again, and given back."""

from __future__ import annotations

import pytest

from tests.cuda import scenarios

ROUNDS = 10_000
MIB = 1 << 20


@pytest.mark.study("T5")
def test_threads_open_the_memory_once(pair):
    producer, consumer = pair
    producer.run("""
        s = gpu.stream()
        x = context.variable("x", shape=(1 << 20,), dtype="u32", memory="device")
        with x.map("w", timeout=10, stream=s) as array:
            gpu.fill(array, 1, s)
        array = None
    """)
    opens, errors, wrong = consumer.run("""
        before = fastio.capabilities().opens
        barrier = threading.Barrier(32)
        errors, counts = [], []
        def work():
            try:
                s = gpu.stream()
                barrier.wait()
                for i in range(100):
                    x = context["x"]
                    mapping = x.map("r", timeout=30, stream=s)
                    if i % 50 == 0:
                        counts.append((gpu.count(mapping.array, 1, s), s))
                    mapping.close()
                    if i % 10 == 0:
                        x.release()
            except Exception as error:
                errors.append(repr(error))
        threads = [threading.Thread(target=work) for _ in range(32)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        wrong = sum(gpu.number(*one) for one in counts)
        counts.clear()
        fastio.capabilities().opens - before, errors, wrong
    """)
    assert errors == []
    assert wrong == 0
    assert opens <= 1  # None where it was opened with the context.


@pytest.mark.study("T6")
@pytest.mark.parametrize("transport", ["vmm", "legacy"])
def test_own_memory_is_never_opened(start_peers, device, transport):
    if refusal := device["transports"][transport]:
        pytest.xfail(f"{transport} does not work here: {refusal}")
    (peer,) = start_peers(environment={"CLARA_FASTIO_CUDA_TRANSPORT": transport})
    found = peer.run("""
        before = fastio.capabilities().opens
        s, other = gpu.stream(), gpu.stream()
        x = context.variable("x", shape=(1 << 20,), dtype="u32", memory="device")
        again = fastio.open_context(context.name)
        with x.map("w", timeout=10, stream=s) as array:
            gpu.spin(0.2, s)
            gpu.fill(array, 1, s)
            pointer = array.data.ptr
        result = []
        def read(view, on):
            with view.map("r", timeout=10, stream=on) as array:
                result.append((array.data.ptr == pointer, gpu.number(gpu.count(array, 1, on), on)))
        threads = [threading.Thread(target=read, args=(context["x"], gpu.stream()))
                   for _ in range(4)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        same = list(result)
        del result[:]
        read(again["x"], other)
        array = None
        moved = result[0][1]
        (fastio.capabilities().opens - before, same, moved, x.transport.own, x.transport.memory)
    """)
    assert found == [0, [[True, 0]] * 4, 0, True, transport]


@pytest.mark.alone
@pytest.mark.study("T7")
@pytest.mark.timeout(150)
def test_memory_that_comes_and_goes_is_never_stale(start_peers, record_property):
    producer, consumer = start_peers(2, timeout=140)
    warm = ROUNDS // 10
    consumer.run("""
        s = gpu.stream()
        ack = context.variable("ack", shape=(1,), dtype="u32")
    """)
    producer.start(f"""
        s = gpu.stream()
        ack = context["ack"]
        for i in range({ROUNDS}):
            block = context.create(1 << 16, memory="device")
            block.set_type_and_dimensions("u32", (1 << 14,))
            with block.map("w", timeout=10, stream=s) as array:
                gpu.fill(array, i, s)
            array = None
            block.publish(f"n{{i}}")
            ack.wait(version=i + 1, timeout=60)
            block.free()
            if i == {warm}:
                before = gpu.held()
        before, gpu.held()
    """)
    stale, before, after, taken = consumer.run(f"""
        stale = 0
        for i in range({ROUNDS}):
            block = context.get(f"n{{i}}", timeout=60)
            with block.map("r", timeout=10, stream=s) as array:
                stale += gpu.number(gpu.count(array, i, s), s)
            array = None
            block.release()
            with ack.map("w", timeout=10) as number:
                number[0] = i
            number = None
            if i == {warm}:
                before = *gpu.held(), gpu.free_memory()
        after = *gpu.held(), gpu.free_memory()
        stale, before, after, fastio.capabilities().opens
    """)
    grown = producer.result()
    record_property("opens", taken)
    record_property("descriptors, maps before and after", [before[:2], after[:2], *grown])
    assert stale == 0
    assert after[0] <= before[0] + 8
    assert after[1] <= before[1] + 32
    assert grown[1][0] <= grown[0][0] + 8
    assert grown[1][1] <= grown[0][1] + 32
    assert after[2] >= before[2] - 256 * MIB
    assert taken < ROUNDS / 10


@pytest.mark.study("T7")
def test_steady_state_opens_nothing(pair):
    producer, consumer = pair
    scenarios.make(producer, consumer)
    before = consumer.run("fastio.capabilities().opens")
    for value in range(2, 50):
        producer.run(f"""
            with x.map("w", timeout=10, stream=s) as array:
                gpu.fill(array, {value}, s)
            array = None
        """)
        different = consumer.run(f"""
            with x.map("r", timeout=10, stream=s) as array:
                counted = gpu.count(array, {value}, s)
            array = None
            gpu.number(counted, s)
        """)
        assert different == 0
    assert consumer.run("fastio.capabilities().opens") == before
