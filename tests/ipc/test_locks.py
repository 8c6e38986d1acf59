# SPDX-License-Identifier: Apache-2.0
"""Locks between processes: who excludes whom, time-outs, signals, deaths."""

from __future__ import annotations

import signal
import threading
import time

import pytest

import clara_fastio as fastio
from tests.ipc.peer import RemoteError


def test_readers_of_several_processes_share(block, peer, context, start_peer):
    other = start_peer(context.name)
    for one in (peer, other):
        one.run("mapping = context['block'].map('r')")
    with block.map("r") as array:
        assert array.size == 1024
    for one in (peer, other):
        one.run("mapping.close()")


@pytest.mark.parametrize("mode", ["r", "w", "r+"])
def test_writer_excludes_others(block, peer, mode):
    with block.map("w") as array:
        array[...] = 1
        with pytest.raises(RemoteError, match="LockConflictError"):
            peer.run(f"context['block'].map({mode!r})")
    peer.run(f"context['block'].map({mode!r}).close()")


@pytest.mark.parametrize("mode", ["w", "r+"])
def test_reader_excludes_writers_of_other_processes(block, peer, mode):
    peer.run("mapping = context['block'].map('r')")
    with pytest.raises(fastio.LockConflictError):
        block.map(mode)
    peer.run("mapping.close()")
    block.map(mode).close()


def test_reader_without_a_lock_goes_beside_a_writer(block, peer):
    with block.map("w") as array:
        array[...] = 3
        assert peer.run("context['block'].map('r', dirty=True).array.sum().item()") == 3 * 1024


def test_writer_that_waits_keeps_new_readers_out(block, peer, context, start_peer):
    writer = start_peer(context.name)
    with block.map("r"):
        writer.start_and_sleep("mapping = context['block'].map('w', timeout=None)")
        with pytest.raises(RemoteError, match="LockConflictError"):
            peer.run("context['block'].map('r')")
        block.map("r").close()  # Who reads already may nest: the writer waits for it anyway.
    writer.result()
    writer.run("mapping.array[...] = 8; mapping.close()")
    assert peer.run("context['block'].map('r').array[0].item()") == 8


def test_wait_ends_with_the_time_out_and_not_before(block, peer):
    peer.run("mapping = context['block'].map('w')")
    start = time.monotonic()
    with pytest.raises(fastio.LockTimeoutError, match="being written"):
        block.map("r", timeout=0.3)
    assert time.monotonic() - start >= 0.3
    peer.run("mapping.close()")
    block.map("r").close()


def test_time_out_of_a_writer_lets_readers_in(block, peer, context, start_peer):
    reader = start_peer(context.name)
    peer.run("mapping = context['block'].map('r')")
    with pytest.raises(fastio.LockTimeoutError, match="being read"):
        block.map("w", timeout=0.05)
    reader.run("context['block'].map('r').close()")


@pytest.mark.parametrize("mode", ["r", "w"])
def test_sleeper_is_woken_by_the_end_of_a_map(block, peer, mode):
    held = block.map("w")
    held.array[...] = 4
    peer.start_and_sleep(f"mapping = context['block'].map({mode!r}, timeout=None)")
    held.close()
    peer.result()
    assert peer.run("mapping.version") >= 1


def test_sleeping_writer_is_woken_by_the_last_reader(block, peer, context, start_peer):
    writer = start_peer(context.name)
    peer.run("mapping = context['block'].map('r')")
    held = block.map("r")
    writer.start_and_sleep("mapping = context['block'].map('w', timeout=None)")
    held.close()
    peer.run("mapping.close()")
    writer.result()


def test_wait_lets_other_threads_run(block, peer):
    held = block.map("w")
    peer.run("import threading; released = threading.Event(); count = 0")
    peer.run(
        """
        def work():
            global count
            while not released.is_set():
                count += 1

        thread = threading.Thread(target=work)
        thread.start()
        """
    )
    before = peer.run("count")
    with pytest.raises(RemoteError, match="LockTimeoutError"):
        peer.run("context['block'].map('r', timeout=0.2)")
    during = peer.run("count")
    peer.run("released.set(); thread.join()")
    # With the interpreter's lock held, nothing but a few last steps could have been done.
    assert during - before > 1000
    held.close()


def test_ctrl_c_ends_a_wait(block, peer):
    with block.map("w"):
        peer.start_and_sleep("context['block'].map('r', timeout=None)")
        peer.program.signal(signal.SIGINT)
        with pytest.raises(RemoteError, match="KeyboardInterrupt"):
            peer.result()
    for mode in ("r", "w"):
        peer.run(f"context['block'].map({mode!r}).close()")
        block.map(mode).close()


def test_ctrl_c_takes_back_the_claim_of_a_writer(block, peer, context, start_peer):
    other = start_peer(context.name)
    with block.map("r"):
        peer.start_and_sleep("context['block'].map('w', timeout=None)")
        peer.program.signal(signal.SIGINT)
        with pytest.raises(RemoteError, match="KeyboardInterrupt"):
            peer.result()
        other.run("context['block'].map('r').close()")


def test_signal_handler_runs_during_a_wait(block, peer):
    held = block.map("w")
    peer.run(
        """
        import signal
        handled = []
        signal.signal(signal.SIGUSR1, lambda *_: handled.append(1))
        """
    )
    peer.start_and_sleep("mapping = context['block'].map('r', timeout=None)")
    peer.program.signal(signal.SIGUSR1)
    held.close()
    peer.result()
    assert peer.run("mapping.close(); len(handled)") == 1


def test_reader_that_waits_is_told_that_the_writer_died(block, peer, context, start_peer):
    reader = start_peer(context.name)
    peer.run("mapping = context['block'].map('w'); mapping.array[:10] = 7")
    reader.start_and_sleep("context['block'].map('r', timeout=None)")
    peer.program.kill()
    with pytest.raises(RemoteError, match="LockAbandonedError"):
        reader.result()
    with block.map("w", timeout=1) as array:
        array[...] = 1
    assert reader.run("context['block'].map('r').array.sum().item()") == 1024


@pytest.mark.parametrize("mode", ["r", "w"])
def test_writer_that_waits_goes_on_when_the_holder_dies(block, peer, context, start_peer, mode):
    writer = start_peer(context.name)
    peer.run(f"mapping = context['block'].map({mode!r})")
    writer.start_and_sleep("mapping = context['block'].map('w', timeout=None)")
    peer.program.kill()
    writer.result()
    writer.run("mapping.array[...] = 2; mapping.close()")
    with block.map("r") as array:
        assert (array == 2).all()


def test_death_of_a_waiting_writer_lets_readers_in(block, peer, context, start_peer):
    held = block.map("r")
    peer.start_and_sleep("context['block'].map('w', timeout=None)")
    peer.program.kill()
    third = start_peer(context.name)
    third.run("context['block'].map('r', timeout=1).close()")
    held.close()
    block.map("w", timeout=1).close()


def test_own_map_that_blocks_raises_at_once(block):
    with block.map("w"), pytest.raises(fastio.LockConflictError, match="this thread"):
        block.map("r", timeout=None)
    with block.map("r"), pytest.raises(fastio.LockConflictError, match="this thread"):
        block.map("w", timeout=None)


def test_map_of_another_thread_is_waited_for(block):
    held = block.map("w")
    done = threading.Event()

    def read():
        block.map("r", timeout=None).close()
        done.set()

    thread = threading.Thread(target=read)
    thread.start()
    assert not done.wait(0.05)
    held.close()
    thread.join()
    assert done.is_set()


def test_many_processes_never_see_a_mixture(block, context, start_peer):
    peers = [start_peer(context.name) for _ in range(4)]
    for number, one in enumerate(peers):
        one.start(
            f"""
            block = context["block"]
            for turn in range(300):
                if (turn + {number}) % 3 == 0:
                    with block.map("w", timeout=None) as array:
                        array[...] = {number} * 1000 + turn
                else:
                    with block.map("r", timeout=None) as array:
                        assert (array == array[0]).all(), array
            """
        )
    for one in peers:
        one.result()
    with block.map("r") as array:
        assert (array == array[0]).all()


def test_sum_of_updates_is_exact(block, context, start_peer):
    peers = [start_peer(context.name) for _ in range(3)]
    for one in peers:
        one.start(
            """
            block = context["block"]
            for _ in range(300):
                with block.map("r+", timeout=None) as array:
                    array += 1
            """
        )
    for one in peers:
        one.result()
    with block.map("r") as array:
        assert (array == 900).all()
