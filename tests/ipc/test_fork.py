# SPDX-License-Identifier: Apache-2.0
"""Forked children of a process that uses a context."""

from __future__ import annotations

import os
import signal

import pytest

import clara_fastio as fastio
from tests.ipc.peer import RemoteError

POOL = """
import multiprocessing
import os
import sys

import numpy as np

import clara_fastio as fastio

context = fastio.open_context(sys.argv[1])
source = context["source"].map("r")
result = context.variable("result", shape=(8, 1000), dtype="f64").map("w")
inputs, outputs = source.array, result.array

def work(row):
    np.multiply(inputs[row], 2, out=outputs[row])
    return os.getpid()

with multiprocessing.get_context("fork").Pool(3) as pool:
    pids = set(pool.map(work, range(8), chunksize=1))
    assert os.getpid() not in pids
    pool.close()
    pool.join()
source.close()
result.close()
context.close()
print("done", flush=True)
"""


@pytest.fixture
def forked(peer, block):
    """A process that can run code in a forked child: ``in_child(code)``."""
    assert block.is_published
    peer.run(
        """
        import os

        def in_child(code):
            read, write = os.pipe()
            pid = os.fork()
            if pid == 0:
                try:
                    answer = repr(eval(code, globals()))
                except BaseException as error:
                    answer = type(error).__name__
                os.write(write, answer.encode())
                os._exit(0)
            os.close(write)
            with os.fdopen(read) as pipe:
                answer = pipe.read()
            return answer, os.waitpid(pid, 0)[1]
        """
    )
    return peer


def test_pool_of_forked_processes_uses_arrays_of_its_parent(context, run_program):
    source = context.variable("source", shape=(8, 1000), dtype="f64")
    with source.map("w") as array:
        array[...] = 21
    program = run_program(POOL, context.name)
    program.expect("done")
    assert program.wait() == 0
    with context["result"].map("r") as array:
        assert (array == 42).all()


@pytest.mark.parametrize(
    "code",
    [
        "context['block']",
        "context.create(10)",
        "context.entries()",
        "context['block'].map('r')",
        "block.map('r')",
        "mapping.commit()",
    ],
)
def test_objects_of_the_parent_refuse_in_the_child(forked, code):
    forked.run("block = context['block']; mapping = block.map('r')")
    assert forked.run(f"in_child({code!r})") == ["ForkedContextError", 0]
    forked.run("mapping.close()")


def test_child_opens_the_context_for_itself(forked, context):
    assert forked.run(f"in_child(\"fastio.open_context('{context.name}')['block'].nbytes\")") == [
        "8192",
        0,
    ]
    assert {process.pid for process in context.processes()} >= {forked.pid}


def test_child_that_ends_with_all_its_destructors_runs_well(context, run_program, block):
    program = run_program(
        """
        import gc, os, sys
        import clara_fastio as fastio

        context = fastio.open_context(sys.argv[1])
        mapping = context["block"].map("w")
        mapping.array[...] = 6
        private = context.create(100_000)
        pid = os.fork()
        if pid == 0:
            del mapping, private, context
            gc.collect()
            sys.exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        mapping.close()
        context.close()
        print("done", flush=True)
        """,
        context.name,
    )
    program.expect("done")
    assert program.wait() == 0, program.errors
    assert program.errors == ""
    with block.map("r") as array:
        assert (array == 6).all()


@pytest.fixture
def fork_sleeper():
    """Let a process fork a child that does nothing for as long as the test runs."""
    children = []

    def fork(parent):
        child = parent.run(
            """
            import os, signal
            child = os.fork()
            if child == 0:
                signal.pause()
                os._exit(0)
            child
            """
        )
        children.append(child)

    yield fork
    for child in children:
        os.kill(child, signal.SIGKILL)


def test_locks_of_a_dead_parent_are_taken_back_while_its_child_lives(peer, block, fork_sleeper):
    peer.run("mapping = context['block'].map('w')")
    fork_sleeper(peer)
    peer.program.kill()
    with block.map("w", timeout=1) as array:
        array[...] = 1


def test_name_is_free_when_the_host_is_dead_though_its_child_lives(
    context_name, start_peer, fork_sleeper
):
    host = start_peer()
    host.run(f"context = fastio.create_context({context_name!r})")
    fork_sleeper(host)
    host.program.kill()
    with fastio.create_context(context_name) as context:
        assert context.is_host


def test_clients_hear_of_the_death_of_a_host_though_its_child_lives(
    context_name, start_peer, fork_sleeper
):
    host = start_peer()
    host.run(f"context = fastio.create_context({context_name!r})")
    client = start_peer(context_name)
    fork_sleeper(host)
    client.start_and_sleep("context.get('never', timeout=None)")
    host.program.kill()
    with pytest.raises(RemoteError, match="HostDiedError"):
        client.result()
