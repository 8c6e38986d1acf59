# SPDX-License-Identifier: Apache-2.0
"""Limits of memory raise an error that names them; nobody is killed."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest

import clara_fastio as fastio
from tests.helpers import names
from tests.ipc.peer import RemoteError

MIB = 1 << 20
CGROUPS = Path("/sys/fs/cgroup")


@pytest.fixture
def small_context(context_name):
    """A context of 8 MiB."""
    with fastio.create_context(context_name, capacity=64, memory_limit=8 * MIB) as context:
        yield context


def test_limit_of_a_context_is_named_with_what_is_left(small_context):
    kept = small_context.create(4 * MIB)
    with pytest.raises(fastio.OutOfMemoryError, match="memory limit of the context") as caught:
        small_context.create(6 * MIB)
    assert caught.value.requested == 6 * MIB
    assert caught.value.available <= 4 * MIB
    assert isinstance(caught.value, MemoryError)
    assert kept.nbytes == 4 * MIB
    small_context.create(2 * MIB)


def test_limit_of_a_context_holds_for_variables(small_context):
    variable = small_context.variable("v", shape=(None,))
    variable.update_shape((16 * MIB,))
    with pytest.raises(fastio.OutOfMemoryError):
        variable.allocate()
    with pytest.raises(fastio.OutOfMemoryError):
        variable.map("w")
    variable.update_shape((MIB,))
    with variable.map("w") as array:
        array[...] = 1


def test_limit_of_a_context_holds_for_all_processes(small_context, start_peer):
    peers = [start_peer(small_context.name) for _ in range(2)]
    peers[0].run(f"block = context.create({5 * MIB})")
    with pytest.raises(RemoteError, match="OutOfMemoryError"):
        peers[1].run(f"block = context.create({5 * MIB})")
    peers[0].run("context.close(); del block, context")
    peers[1].run(f"block = context.create({5 * MIB})")


def test_memory_of_a_dead_process_counts_no_more(small_context, start_peer):
    peer = start_peer(small_context.name)
    peer.run(f"block = context.create({7 * MIB})")
    peer.program.kill()
    while len(small_context.processes()) > 1:
        pass
    small_context.create(7 * MIB)


def test_memory_kept_warm_does_not_stand_in_the_way(small_context):
    for size in (6, 3, 7, 1):
        block = small_context.create(size * MIB)
        block.release()
    variable = small_context.variable("v", shape=(7 * MIB,))
    with variable.map("w") as array:
        array[...] = 1


def test_more_than_the_machine_has_is_refused(context):
    total = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1]) * 1024
    with pytest.raises(fastio.OutOfMemoryError, match=r"bytes requested, .* can be had under"):
        context.create(2 * total)
    context.create(MIB)


def test_full_table_of_entries_is_refused(context_name):
    with fastio.create_context(context_name, capacity=4) as context:
        blocks = [context.create(100) for _ in range(4)]
        with pytest.raises(fastio.OutOfMemoryError, match="all 4"):
            context.create(100)
        blocks.pop().release()
        context.create(100)


@pytest.fixture
def cgroup():
    """A memory cgroup of 300 MiB, empty; of version 2 where the machine has that, else of 1."""
    unified = CGROUPS / "cgroup.controllers"
    if unified.exists() and "memory" in unified.read_text().split():
        parent, limit = CGROUPS, "memory.max"
    else:
        parent, limit = CGROUPS / "memory", "memory.limit_in_bytes"
    group = parent / names.unique_name("kill")
    try:
        if parent == CGROUPS:
            (parent / "cgroup.subtree_control").write_text("+memory")
        group.mkdir()
        (group / limit).write_text(str(300 * MIB))
    except OSError as error:
        with contextlib.suppress(OSError):
            group.rmdir()
        pytest.skip(f"this machine lets nobody make a memory cgroup: {error}")
    yield group
    for _ in range(1000):  # It is busy until the kernel has torn down its last process.
        with contextlib.suppress(OSError):
            group.rmdir()
            return
    pytest.fail("the memory cgroup could not be removed")


def test_cgroup_that_is_too_small_raises_and_kills_nobody(context_name, start_peer, cgroup):
    host = start_peer()
    (cgroup / "cgroup.procs").write_text(str(host.pid))
    host.run(f"context = fastio.create_context({context_name!r}, capacity=64)")
    with pytest.raises(RemoteError, match=f"OutOfMemoryError.*{cgroup.name}"):
        host.run(f"context.create({500 * MIB})")
    # Step by step as well: what is there already counts.
    host.run("blocks = []")
    with pytest.raises(RemoteError, match="OutOfMemoryError"):
        host.run(
            f"""
            for _ in range(100):
                blocks.append(context.create({20 * MIB}))
            """
        )
    assert host.run("len(blocks)") >= 3
    host.run("context.create(1000).publish('small')")
    client = start_peer(context_name)
    assert client.run("'small' in context") is True
    with pytest.raises(RemoteError, match="OutOfMemoryError"):
        client.run(f"context.create({500 * MIB})")
    host.run("for block in blocks: block.release()")
    host.run("context.close(); del blocks, block, context")
    assert host.end() == 0
