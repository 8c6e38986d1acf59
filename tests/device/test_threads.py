# SPDX-License-Identifier: Apache-2.0
"""Many threads of a process, and several contexts of it, share what was opened once."""

from __future__ import annotations

import os

import pytest

from tests.device import watching

THREADS = """
import threading

def in_threads(count, work):
    barrier, errors = threading.Barrier(count), []

    def run(number):
        gpu.use(0)
        on = gpu.stream()
        barrier.wait()
        try:
            work(number, on)
        except BaseException as error:
            errors.append(f"{type(error).__name__}: {error}")

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors
"""


def test_threads_that_map_at_once_open_once(producer, consumer):
    producer.run("x = device_variable(); write(x, 4)")
    consumer.run(THREADS)
    consumer.run("x = context['x']; seen = []")
    consumer.run("in_threads(32, lambda number, on: seen.append(read(x, on=on)))")
    assert consumer.run("[one.values() for one in seen]") == [[4, 4]] * 32
    assert consumer.run("fastio.capabilities().opens") == 1
    before = watching.held_by(consumer.pid)
    consumer.run("in_threads(32, lambda number, on: [read(x, on=on) for _ in range(20)])")
    assert watching.held_by(consumer.pid) == before
    assert consumer.run("fastio.capabilities().opens") == 1


def test_threads_read_whole_contents_beside_a_writer(producer, consumer):
    producer.run("x = device_variable(); write(x, 1)")
    consumer.run(THREADS)
    consumer.run("x = context['x']; seen = []")
    consumer.start(
        """
        in_threads(8, lambda number, on: [seen.append(read(x, ms=0.2, on=on)) for _ in range(20)])
        [one.values() for one in seen]
        """
    )
    producer.run("for i in range(2, 80): write(x, i, ms=0.2)")
    pairs = consumer.result()
    assert len(pairs) == 160
    assert all(least == most for least, most in pairs)


def test_release_races_with_opening(producer, consumer):
    producer.run(
        """
        for i in range(8):
            write(device_variable(f"x{i}"), i)
        """
    )
    consumer.run(THREADS)
    consumer.run("fastio._core.set_cache_limit(0)")
    consumer.run(
        """
        def work(number, on):
            for i in range(30):
                which = (number + i) % 8
                variable = context.get(f"x{which}")
                assert read(variable, on=on).values() == [which, which]
                variable.release()

        in_threads(16, work)
        """
    )


def test_threads_of_the_producer_change_in_turn(producer, consumer):
    producer.run(THREADS)
    producer.run(
        """
        x = device_variable()
        write(x, 0)

        def change(number, on):
            for _ in range(10):
                mapping = x.map("r+", timeout=30, stream=on)
                gpu.add(on, mapping.pointer, mapping.pointer, 1024, 1)
                mapping.commit()

        in_threads(8, change)
        """
    )
    assert consumer.run("read(context['x']).values()") == [80, 80]


def test_streams_of_threads_are_different_ones(producer, consumer):
    producer.run("x = device_variable(); write(x, 1)")
    consumer.run(THREADS)
    consumer.run("x = context['x']; seen = []")
    consumer.run("in_threads(4, lambda number, on: [seen.append(read(x, on=2).values())])")
    assert consumer.run("seen") == [[1, 1]] * 4
    producer.run("write(x, 2)")
    assert consumer.run("read(x).values()") == [2, 2]


@pytest.fixture
def start_twice(context, start_gpu):
    """Start a process that has the context open twice, as ``context`` and ``other``."""

    def start(role, **settings):
        socket = context.connection(role)
        peer = start_gpu(pass_fds=[socket], **settings)
        os.close(socket)
        peer.run(f"other = fastio.open_context(socket={socket})")
        assert peer.run("other is not context")
        return peer

    return start


@pytest.mark.parametrize("transport", ["vmm", "legacy"])
def test_second_context_of_a_producer_opens_nothing(start_twice, transport):
    both = start_twice("second", transport=transport)
    both.run(
        """
        x = device_variable()
        mapping = x.map("w", stream=s)
        pointer = mapping.pointer
        gpu.fill(s, pointer, 1024, 6)
        mapping.commit()
        y = other["x"]
        mapping = y.map("r", stream=s)
        """
    )
    assert both.run("mapping.pointer == pointer")
    both.run("seen = gpu.read(s, mapping.pointer, 1024); mapping.close()")
    assert both.run("seen.values()") == [6, 6]
    assert both.run("fastio.capabilities().opens") == 0
    assert both.run("y.transport.own")
    both.run("other.close()")
    both.run("write(x, 7)")
    assert both.run("read(x).values()") == [7, 7]


@pytest.mark.parametrize("transport", ["vmm", "legacy"])
def test_contexts_of_one_process_order_their_streams(start_twice, transport):
    both = start_twice("second", transport=transport)
    both.run(
        """
        x = device_variable()
        write(x, 1)
        y = other["x"]
        t = gpu.stream()
        mapping = x.map("w", timeout=5, stream=s)
        gate = gpu.Gate(s)
        gpu.fill(s, mapping.pointer, 1024, 2)
        mapping.commit()
        seen = read(y, on=t)
        assert not gpu.is_done(t)
        gate.open()
        """
    )
    assert both.run("seen.values()") == [2, 2]


@pytest.mark.parametrize("transport", ["vmm", "legacy"])
def test_two_contexts_of_a_consumer_open_once(start_gpu, start_twice, transport):
    producer = start_gpu(transport=transport)
    producer.run("x = device_variable(); write(x, 6)")
    consumer = start_twice("second", transport=transport)
    consumer.run("values = [read(one['x']).values() for one in (context, other)]")
    assert consumer.run("values") == [[6, 6], [6, 6]]
    assert consumer.run("fastio.capabilities().opens") == 1
    consumer.run("context.close()")
    assert consumer.run("read(other['x']).values()") == [6, 6]
