# SPDX-License-Identifier: Apache-2.0
"""Versions, and waiting for them, for locks and for names."""

from __future__ import annotations

import threading
import time

import pytest

import clara_fastio as fastio


def fill(variable, value):
    with variable.map("w") as array:
        array[...] = value


def test_every_committed_write_raises_the_version(context):
    variable = context.variable("x", shape=(4,))
    for version in range(1, 4):
        fill(variable, version)
        assert variable.version == version
        assert variable.wait(version=version) == version


def test_waiting_for_a_version_of_the_past_gives_the_present_one(context):
    variable = context.variable("x", shape=(4,))
    fill(variable, 1)
    fill(variable, 2)
    assert variable.wait(version=1, timeout=0) == 2
    assert variable.wait(version=0, timeout=0) == 2


def test_version_that_does_not_come_raises(context):
    variable = context.variable("x", shape=(4,))
    with pytest.raises(fastio.NotReadyError, match="version 1 was not reached; wait"):
        variable.wait(timeout=0)
    with pytest.raises(fastio.NotReadyError, match="version 3 was not reached in time"):
        variable.wait(version=3, timeout=0.05)


def test_waiting_ends_with_the_write(context, peer):
    variable = context.variable("x", shape=(4,))
    peer.begin("reached = context['x'].wait(version=2)")
    fill(variable, 1)
    fill(variable, 2)
    peer.end()
    assert peer.value("reached") == 2


def test_death_of_the_producer_ends_the_wait(new_peer):
    producer, consumer = new_peer(), new_peer()
    producer.do("variable = context.variable('x', shape=(4,))")
    consumer.begin(
        "try: context['x'].wait()\nexcept fastio.PeerDiedError as error: seen = str(error)"
    )
    producer.kill()
    consumer.end()
    assert "'x'" in consumer.value("seen")


@pytest.mark.parametrize("timeout", [-1, -0.001, float("nan"), float("-inf")])
def test_timeout_that_is_no_time_is_refused(context, timeout):
    variable = context.variable("x", shape=(4,))
    for wait in (
        lambda: variable.map("w", timeout=timeout),
        lambda: variable.wait(timeout=timeout),
        lambda: context.get("x", timeout=timeout),
    ):
        with pytest.raises(ValueError, match="a timeout is not negative"):
            wait()
    fill(variable, 1)


@pytest.mark.parametrize("timeout", ["1", b"1", True, [], object()])
def test_timeout_of_another_type_is_refused(context, timeout):
    variable = context.variable("x", shape=(4,))
    with pytest.raises(TypeError, match="a timeout is a number of seconds or None"):
        variable.map("w", timeout=timeout)


@pytest.mark.parametrize("timeout", [0, 0.0, 1, 0.5, None, 1e300, float("inf")])
def test_timeout_is_any_number_of_seconds(context, timeout):
    variable = context.variable("x", shape=(4,))
    variable.map("w", timeout=timeout).close()
    assert variable.wait(timeout=timeout) == 1


@pytest.mark.parametrize("version", [-1, 2**63])
def test_version_out_of_bounds_is_refused(context, version):
    with pytest.raises(ValueError, match="a version lies between"):
        context.variable("x", shape=(1,)).wait(version=version)


def test_version_that_is_no_number_is_refused(context):
    with pytest.raises(TypeError, match="a version is a whole number"):
        context.variable("x", shape=(1,)).wait(version="1")


def test_lock_is_waited_for(context, peer):
    """Item 86: after the writer unmaps, another can map."""
    block = context.create(4, zero=True)
    block.publish("x")
    mapping = block.map("w")
    peer.begin("with context['x'].map('w', timeout=10) as array: array += 1")
    mapping.array[:] = 5
    mapping.close()
    peer.end()
    with block.map("r") as array:
        assert array.tolist() == [6] * 4


def test_lock_that_stays_taken_times_out(context, peer):
    block = context.create(4)
    block.publish("x")
    with block.map("w"):
        error = peer.error("context['x'].map('r', timeout=0.05)")
    assert error.startswith("LockTimeoutError: 'x' is being written")
    with block.map("r"):
        error = peer.error("context['x'].map('w', timeout=0.05)")
    assert error.startswith("LockTimeoutError: 'x' is being read")
    assert issubclass(fastio.LockTimeoutError, TimeoutError)


def test_lock_that_only_the_caller_holds_is_never_waited_for(context):
    block = context.create(4)
    mapping = block.map("r")
    with pytest.raises(fastio.LockConflictError, match="this thread"):
        block.map("w", timeout=None)
    mapping.close()


@pytest.mark.parametrize(
    "wait",
    [
        "context['x'].wait(version=9)",
        "context['locked'].map('r', timeout=None)",
        "context.get('never', timeout=None)",
    ],
)
def test_control_c_ends_every_wait(context, run_program, wait):
    context.variable("x", shape=(1,))
    locked = context.create(1)
    locked.publish("locked")
    mapping = locked.map("w")
    program = run_program(
        f"""
        import os, signal, sys, threading
        import clara_fastio as fastio
        with fastio.open_context(sys.argv[1]) as context:
            try:
                threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
                {wait}
            except KeyboardInterrupt:
                print("interrupted", flush=True)
        """,
        context.name,
    )
    program.expect("interrupted")
    program.finish()
    mapping.close()
    with locked.map("w"):
        pass


def test_waiting_lets_other_threads_run(context):
    variable = context.variable("x", shape=(4,))
    thread = threading.Thread(target=fill, args=(variable, 3))
    threading.Timer(0.01, thread.start).start()
    assert variable.wait(timeout=10) == 1
    thread.join()


def test_short_timeout_is_not_rounded_to_a_slice(context):
    variable = context.variable("x", shape=(4,))
    start = time.monotonic()
    with pytest.raises(fastio.NotReadyError):
        variable.wait(timeout=0.25)
    assert time.monotonic() - start >= 0.25
