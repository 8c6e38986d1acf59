# SPDX-License-Identifier: Apache-2.0
"""Objects that several threads use at once."""

from __future__ import annotations

import gc
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import clara_fastio as fastio

THREADS = 4
TIMES = 300


def together(work):
    """Run it in some threads that start at the same time; raise what any of them raised."""
    barrier = threading.Barrier(THREADS)

    def start(number):
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(start, range(THREADS)))


def test_threads_share_the_lock_of_a_variable(context):
    """Each write is a read and a write of the whole: none may be lost, none seen by half."""
    variable = context.variable("x", shape=(64,), dtype="u32")
    with variable.map("w") as array:
        array[:] = 0

    def count(_):
        for _ in range(TIMES):
            with variable.map("r+", timeout=None) as array:
                array[:] = array + 1
            with variable.map("r", timeout=None) as array:
                assert array.min() == array.max()

    together(count)
    with variable.map("r") as array:
        assert array.tolist() == [THREADS * TIMES] * 64
    assert variable.version == THREADS * TIMES + 1


def test_threads_create_publish_and_free(context):
    def churn(number):
        for i in range(50):
            block = context.create(1000 + 5000 * number)
            with block.map("w") as array:
                array[:] = number
            block.publish(f"{number}/{i}")
            with context.get(f"{number}/{i}").map("r") as array:
                assert (array == number).all()
            block.free()

    together(churn)
    assert len(context) == 0


def test_one_name_is_declared_by_one_of_many(context):
    variables = together(lambda _: context.variable("x", shape=(None,), dtype="f32"))
    assert {repr(variable) for variable in variables} == {"<Variable 'x', float32 (None,)>"}
    assert len(context) == 1


def test_mapping_is_ended_once(context):
    variable = context.variable("x", shape=(4,))
    for version in range(1, 50):
        mapping = variable.map("w")
        together(lambda _, mapping=mapping: mapping.close())
        assert variable.version == version


def test_reference_is_given_up_once(context):
    def release(block):
        try:
            block.release()
        except fastio.ClosedError:
            return False
        return True

    for _ in range(20):
        block = context.create(100)
        assert sum(together(lambda _, block=block: release(block))) == 1


def test_waiting_goes_on_when_another_thread_drops_the_objects(context_name):
    with fastio.create_context(context_name) as context:
        variable = context.variable("x", shape=(4,))
        reached = []
        waiter = threading.Thread(target=lambda: reached.append(variable.wait(timeout=10)))
        waiter.start()
        time.sleep(0.05)  # Most likely it sleeps by now; either way it has to end well.
        other = context["x"]
        variable.release()
        gc.collect()
        with other.map("w") as array:
            array[:] = 1
        waiter.join()
        assert reached in ([1], [])


def test_closing_the_context_ends_the_waits_of_other_threads(context):
    variable = context.variable("x", shape=(4,))
    locked = context.create(4)
    mapping = locked.map("w")

    def wait(number):
        waits = [
            variable.wait,
            lambda: variable.map("r", timeout=None),
            lambda: context.get("y", timeout=None),
            lambda: locked.map("r", timeout=None),
        ]
        with pytest.raises((fastio.ClosedError, fastio.HostDiedError)):
            waits[number]()

    closer = threading.Timer(0.2, context.close)
    closer.start()
    together(wait)
    closer.join()
    mapping.abort()


def test_other_threads_run_while_one_waits_for_the_host(context):
    """Reserving much memory takes long; the GIL is free meanwhile."""
    ticks = []
    done = threading.Event()

    def tick():
        while not done.is_set():
            ticks.append(None)
            time.sleep(0.001)

    thread = threading.Thread(target=tick)
    thread.start()
    before = len(ticks)
    blocks = [context.create(256 << 20) for _ in range(2)]
    during = len(ticks) - before
    done.set()
    thread.join()
    assert during > 0
    for block in blocks:
        block.release()
