# SPDX-License-Identifier: Apache-2.0
"""Arrays outlive whatever they came from, and memory goes back after the last of them."""

from __future__ import annotations

import os

import numpy as np
import pytest

import clara_fastio as fastio
from tests.helpers import leaks

MIB = 1 << 20


def produce(peer, name="image", value=7):
    """Let a process write a variable of a MiB, which has memory of its own."""
    peer.run(
        f"""
        variable = context.variable({name!r}, shape=({MIB},), dtype="u8")
        with variable.map("w") as array:
            array[...] = {value}
        """
    )


def array_of(entry):
    """Map for reading and give the lock up again; the array stays."""
    mapping = entry.map("r")
    array = mapping.array
    mapping.close()
    return array


def segments_of(pid):
    """Count the segments of data that a process has mapped or open."""
    tables = (":directory", ":locks")
    held = leaks.held_by(pid)
    return sum(
        count
        for one, count in held.items()
        if not one.segment.removesuffix(" (deleted)").endswith(tables)
    )


def test_array_outlives_mapping_variable_and_context(context, peer, start_peer):
    produce(peer)
    reader = start_peer(context.name)
    reader.run(
        """
        import gc
        mapping = context["image"].map("r")
        part = mapping.array[::2][10:20]
        mapping.close()
        context.close()
        del mapping, context
        gc.collect()
        """
    )
    assert reader.run("part.tolist()") == [7] * 10


def test_array_outlives_the_process_that_wrote_it(context, peer):
    produce(peer)
    array = array_of(context["image"])
    peer.program.kill()
    assert (array == 7).all()


def test_array_outlives_the_host(context_name, start_peer):
    host = start_peer()
    host.run(f"context = fastio.create_context({context_name!r})")
    produce(host)
    reader = start_peer(context_name)
    reader.run("mapping = context['image'].map('r'); array = mapping.array; mapping.close()")
    host.program.kill()
    assert reader.run("int(array.sum())") == 7 * MIB
    assert reader.run("copy = array.copy(); context.close(); int(array.sum())") == 7 * MIB


def test_array_outlives_free(context, peer):
    produce(peer)
    array = array_of(context["image"])
    peer.run("variable.free()")
    assert "image" not in context
    assert (array == 7).all()


def test_array_shows_what_is_written_after_its_map(context, peer):
    produce(peer)
    array = array_of(context["image"])
    peer.run("mapping = variable.map('w'); mapping.array[...] = 8; mapping.close()")
    assert (array == 8).all()


def test_array_of_a_lock_that_is_held_never_changes(context, peer):
    produce(peer)
    mapping = context["image"].map("r")
    peer.start("mapping = variable.map('w', timeout=None); mapping.array[...] = 8; mapping.close()")
    assert (mapping.array == 7).all()
    mapping.close()
    peer.result()


def test_memory_is_not_recycled_under_an_array(context, peer):
    peer.run(
        f"""
        def publish(name, value):
            block = context.create({MIB})
            with block.map("w") as array:
                array[...] = value
            block.publish(name)
        """
    )
    arrays = {}
    for number in range(6):
        peer.run(f"publish('b', {number})")
        block = context.get("b")
        arrays[number] = array_of(block)
        block.free()
        if number == 3:
            del arrays[1]
    for number, array in arrays.items():
        assert (array == number).all(), "the memory under an array was used again"


def test_memory_is_recycled_when_nobody_has_it(context, peer):
    peer.run("import itertools; numbers = itertools.count()")
    steps = f"""
        block = context.create({MIB})
        with block.map("w") as array:
            array[...] = next(numbers) % 100
        block.publish("b")
        """
    seen = set()
    for _ in range(20):
        peer.run(steps)
        block = context.get("b")
        array_of(block)
        block.free()
        seen.add(segments_of(os.getpid()))
        peer.run("del block")
    assert max(seen) <= 8, f"memory was never used again: {sorted(seen)}"


def test_memory_goes_back_after_the_last_array(context, start_peer):
    writer, reader = start_peer(context.name), start_peer(context.name)
    produce(writer)
    reader.run("mapping = context['image'].map('r'); array = mapping.array; mapping.close()")
    context["image"].free()
    writer.run("del variable, array; context.close(); del context")
    # The host has given it up, and the writer; the reader's array is the last.
    assert reader.run("int(array[0])") == 7
    reader.run("del mapping, array")
    reader.run("context.close(); del context")
    for pid in (writer.pid, reader.pid):
        wait_for_no_segments(pid)
    wait_for_no_segments(os.getpid())


def test_memory_goes_back_with_a_cycle(context, peer):
    produce(peer)

    class Node:
        pass

    node = Node()
    node.self, node.array = node, array_of(context["image"])
    assert segments_of(os.getpid()) > 0
    peer.run("variable.free(); del variable, array; context.close(); del context")
    del node
    wait_for_no_segments(os.getpid())


def test_variable_that_outgrows_its_memory_gives_the_old_one_back(context, peer):
    peer.run("variable = context.variable('v', shape=(None,), dtype='u8')")
    kept = []
    for size in (MIB, 2 * MIB, 4 * MIB):
        peer.run(
            f"""
            variable.update_shape(({size},))
            with variable.map("w") as array:
                array[...] = {size // MIB}
            """
        )
        kept.append(array_of(context["v"]))
    assert [int(array[0]) for array in kept] == [1, 2, 4]
    assert [array.size for array in kept] == [MIB, 2 * MIB, 4 * MIB]
    del kept[:2]
    expected = 3  # One in memory as a descriptor, one mapped by us, maybe one still being closed.
    assert wait_until(lambda: segments_of(os.getpid()) <= expected)


def test_copy_of_an_array_holds_nothing(context, peer):
    produce(peer)
    copy = np.array(array_of(context["image"]))
    context["image"].free()
    peer.run("del variable, array; context.close(); del context")
    wait_for_no_segments(os.getpid())
    assert (copy == 7).all()


def test_closed_context_says_so(context_name):
    context = fastio.create_context(context_name)
    variable = context.variable("v", shape=(4,))
    context.close()
    with pytest.raises(fastio.ClosedError):
        variable.map("w")
    with pytest.raises(fastio.ClosedError):
        context["v"]


def wait_for_no_segments(pid):
    assert wait_until(lambda: segments_of(pid) == 0), leaks.held_by(pid)


def wait_until(condition):
    """Wait for what other threads and processes do in their own time."""
    import gc
    import time

    deadline = time.monotonic() + 5
    while not condition():
        if time.monotonic() > deadline:
            return False
        gc.collect()
        time.sleep(0.01)
    return True
