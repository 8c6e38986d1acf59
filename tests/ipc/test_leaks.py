# SPDX-License-Identifier: Apache-2.0
"""Descriptors, maps, sockets and files are the same after as they were before."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections import Counter
from pathlib import Path

import pytest

import clara_fastio as fastio
from tests.helpers import leaks
from tests.ipc import wire

USE = """
import os, sys
import clara_fastio as fastio
context = fastio.open_context(sys.argv[1])
variable = context.variable(f"v{os.getpid()}", shape=(200_000,), dtype="u8")
mapping = variable.map("w")
mapping.array[...] = 1
block = context.create(100_000)
block.publish(f"b{os.getpid()}")
private = context.create(3_000_000)
reading = context["block"].map("r")
"""

#: How a process may end, and its status then.
ENDS = {
    "well": ("mapping.close(); reading.close(); context.close()", 0),
    "without closing anything": ("", 0),
    "by an exception": ("raise RuntimeError('wanted')", 1),
    "by sys.exit": ("sys.exit(3)", 3),
    "by os._exit": ("os._exit(4)", 4),
    "by a signal": ("os.kill(os.getpid(), 15)", -15),
    "by abort": ("os.abort()", -6),
    "by SIGKILL": ("os.kill(os.getpid(), 9)", -9),
    "by another program": ("os.execv('/bin/true', ['true'])", 0),
}


def descriptors(pid):
    """Count what a process has open and the library could have opened."""
    folder = Path(f"/proc/{pid}/fd")
    targets = Counter()
    for descriptor in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):
            targets[str(descriptor.readlink()).split(":")[0]] += 1
    # Of each program that a test starts it has pipes and a file for its errors.
    return {kind: targets[kind] for kind in ("socket", "anon_inode", "/memfd")}


def are_no_more(counts, before):
    return all(count <= before[kind] for kind, count in counts.items())


def wait_until(condition):
    deadline = time.monotonic() + 5
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@pytest.mark.parametrize("end", ENDS)
def test_end_of_a_process_leaves_nothing_in_the_host(context, block, run_program, end):
    code, status = ENDS[end]
    run_once(run_program, context, code, status)  # What stays warm is there from now on.
    context[f"v{last_pid(context)}"].free()
    free_all(context)
    before = leaks.held_by_this_run(), descriptors(os.getpid())
    run_once(run_program, context, code, status)
    free_all(context)
    # Fewer are fine: what was closed in the background may have been counted before.
    assert wait_until(lambda: are_no_more(descriptors(os.getpid()), before[1]))
    assert not leaks.wait_until_given_back(before[0])
    assert set(context) == {"block"}
    with block.map("w", timeout=1) as array:
        array[...] = 1


def run_once(run_program, context, code, status):
    program = run_program(USE + code, context.name, environment={"PYTHONWARNINGS": "ignore"})
    assert program.wait() == status, program.errors
    assert wait_until(lambda: len(context.processes()) == 1)


def last_pid(context):
    return next(name[1:] for name in context if name.startswith("v"))


def free_all(context):
    for name in set(context) - {"block"}:
        context[name].free()


@pytest.mark.usefixtures("block")
def test_client_has_what_it_had_before_it_opened(context, start_peer):
    peer = start_peer()
    steps = f"""
        context = fastio.open_context({context.name!r})
        block = context["block"]
        with block.map("r") as array:
            total = int(array.sum())
        own = context.variable("own", shape=(100_000,), dtype="u8")
        with own.map("w") as array:
            array[...] = 1
        own.free()
        context.close()
        del context, block, own, array
        """
    peer.run("import gc")
    peer.run(steps)
    peer.run("gc.collect()")
    before = descriptors(peer.pid), threads(peer.pid)
    for _ in range(5):
        peer.run(steps)
    peer.run("gc.collect()")
    assert (descriptors(peer.pid), threads(peer.pid)) == before
    assert wait_until(lambda: not leaks.held_by(peer.pid)), leaks.held_by(peer.pid)


def test_host_has_what_it_had_before_it_hosted(context_name, start_peer):
    peer = start_peer()
    steps = f"""
        context = fastio.create_context({context_name!r})
        own = context.variable("own", shape=(100_000,), dtype="u8")
        with own.map("w") as array:
            array[...] = 1
        context.close()
        del context, own, array
        """
    peer.run("import gc")
    peer.run(steps)
    peer.run("gc.collect()")
    before = descriptors(peer.pid), threads(peer.pid)
    for _ in range(5):
        peer.run(steps)
    peer.run("gc.collect()")
    assert (descriptors(peer.pid), threads(peer.pid)) == before
    assert wait_until(lambda: not leaks.held_by(peer.pid)), leaks.held_by(peer.pid)


def threads(pid):
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


@pytest.mark.usefixtures("block")
def test_client_keeps_no_descriptor_of_memory(peer):
    peer.run(
        """
        block = context["block"]
        mapping = block.map("r")
        own = [context.create(size) for size in (100, 100_000, 3_000_000)]
        """
    )
    assert not [one for one in leaks.held_by(peer.pid) if one.how == "fd"]


def test_many_turns_take_no_more_memory_than_a_few(context, peer):
    def turn(number):
        peer.run(
            f"""
            variable = context.variable("v{number}", shape=(300_000,), dtype="u8")
            with variable.map("w") as array:
                array[...] = 1
            """
        )
        with context[f"v{number}"].map("r") as array:
            assert int(array[0]) == 1
        context[f"v{number}"].free()

    for number in range(10):
        turn(number)
    before = leaks.held_by_this_run()
    for number in range(10, 60):
        turn(number)
    more = leaks.wait_until_given_back(before)
    assert more.total() <= 4, f"each turn leaves something: {more}"


@pytest.mark.parametrize("death", ["close", "kill"])
def test_name_of_a_host_is_gone_with_it(context_name, start_peer, death):
    host = start_peer()
    host.run(f"context = fastio.create_context({context_name!r})")
    address = wire.address_of(context_name)[1:].decode()
    assert address in Path("/proc/net/unix").read_text()
    host.run("context.close()") if death == "close" else host.program.kill()
    assert address not in Path("/proc/net/unix").read_text()
    assert context_name not in fastio.list_contexts()


@pytest.mark.parametrize("death", ["close", "kill"])
def test_files_of_a_dead_host_are_in_nobodys_way(context_name, start_peer, tmp_path, death):
    folder = tmp_path / "sockets"
    options = {"environment": {"CLARA_FASTIO_DIR": str(folder)}}
    first = start_peer(**options)
    first.run(f"context = fastio.create_context({context_name!r})")
    names = sorted(folder.iterdir())
    first.run("context.close()") if death == "close" else first.program.kill()
    for lock in folder.glob("*.lock"):
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # Nobody holds it any more.
    second = start_peer(**options)
    second.run(f"context = fastio.create_context({context_name!r})")
    assert sorted(folder.iterdir()) == names
    client = start_peer(context_name, **options)
    assert client.run("len(context)") == 0


def test_host_that_ends_well_takes_its_files_with_it(context_name, start_peer, tmp_path):
    folder = tmp_path / "sockets"
    host = start_peer(environment={"CLARA_FASTIO_DIR": str(folder)})
    host.run(f"context = fastio.create_context({context_name!r})")
    host.run("context.close()")
    assert list(folder.iterdir()) == []
