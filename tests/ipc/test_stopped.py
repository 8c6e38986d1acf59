# SPDX-License-Identifier: Apache-2.0
"""A stopped process (SIGSTOP) stops nobody who does not want what it holds."""

from __future__ import annotations

import pytest

import clara_fastio as fastio
from tests.ipc.peer import RemoteError


@pytest.fixture
def other(context):
    """Memory that nobody but the test uses."""
    other = context.create(4096)
    other.publish("other")
    return other


@pytest.mark.parametrize("mode", ["r", "w"])
@pytest.mark.usefixtures("block", "other")
def test_holder_that_is_stopped_keeps_only_what_it_holds(context, peer, start_peer, mode):
    third = start_peer(context.name)
    peer.run(f"mapping = context['block'].map({mode!r})")
    peer.stop()
    for entry in ("other", "own"):
        third.run(f"if {entry!r} == 'own': context.create(100_000).publish('own')")
        third.run(f"context[{entry!r}].map('w', timeout=1).close()")
    assert set(context) == {"block", "other", "own"}
    with pytest.raises(RemoteError, match="LockTimeoutError"):
        third.run("context['block'].map('w', timeout=0.05)")
    peer.resume()
    peer.run("mapping.close()")
    third.run("context['block'].map('w', timeout=None).close()")


def test_others_read_beside_a_reader_that_is_stopped(peer, block):
    peer.run("mapping = context['block'].map('r')")
    peer.stop()
    with block.map("r") as array:
        assert array.size == 1024


@pytest.mark.parametrize("mode", ["r", "w"])
def test_holder_that_is_killed_while_stopped_is_repaired(peer, block, mode):
    peer.run(f"mapping = context['block'].map({mode!r})")
    peer.stop()
    peer.program.kill()
    block.map("w", timeout=1).close()


def test_waiter_that_is_stopped_holds_nobody_up(context, peer, block, start_peer):
    third = start_peer(context.name)
    held = block.map("w")
    peer.start_and_sleep("mapping = context['block'].map('r', timeout=None)")
    peer.stop()
    held.close()
    third.run("context['block'].map('w', timeout=1).close()")
    peer.resume()
    peer.result()


@pytest.mark.usefixtures("block")
def test_process_that_is_stopped_does_not_keep_others_from_coming_and_going(
    context, peer, start_peer
):
    peer.stop()
    for _ in range(2):
        one = start_peer(context.name)
        one.run("block = context.create(1 << 20); block.publish('x'); block.free()")
        one.run("context.close()")
        assert one.end() == 0
    peer.resume()
    assert peer.run("len(context)") == 1


def test_memory_goes_back_though_a_process_that_mapped_it_is_stopped(context, peer):
    variable = context.variable("v", shape=(1 << 20,))
    with variable.map("w") as array:
        array[...] = 1
    peer.run("context['v'].map('r').close()")
    peer.stop()
    variable.free()
    again = context.variable("v", shape=(1 << 20,))
    with again.map("w") as array:
        array[...] = 2
    peer.resume()
    assert peer.run("int(context['v'].map('r', dirty=True).array[0])") == 2


@pytest.fixture
def host(context_name, start_peer):
    """A host in a process of its own, with a variable that everybody has mapped once."""
    host = start_peer()
    host.run(
        f"""
        context = fastio.create_context({context_name!r})
        block = context.create(8192)
        block.publish("block")
        """
    )
    return host


def test_maps_go_on_while_the_host_is_stopped(context_name, host, start_peer):
    clients = [start_peer(context_name) for _ in range(2)]
    for client in clients:
        client.run("block = context['block']; block.map('w').close(); block.map('r').close()")
    host.stop()
    for number, client in enumerate(clients):
        client.run(
            f"mapping = block.map('w', timeout=1); mapping.array[...] = {number}; mapping.close()"
        )
        client.run("block.map('r', timeout=1).close()")
    host.resume()


def test_requests_to_a_host_that_is_stopped_are_given_up(context_name, host, start_peer):
    client = start_peer(context_name)
    host.stop()
    with pytest.raises(RemoteError, match="HostUnresponsiveError"):
        client.run("context.create(100)")  # After ten seconds.
    host.resume()
    client.run("context.create(100).publish('again')")
    assert host.run("'again' in context") is True


def test_deaths_while_the_host_is_stopped_are_repaired_when_it_goes_on(
    context_name, host, start_peer
):
    dead, waiting = start_peer(context_name), start_peer(context_name)
    dead.run("mapping = context['block'].map('w')")
    host.stop()
    dead.program.kill()
    waiting.start_and_sleep("mapping = context['block'].map('w', timeout=None)")
    host.resume()
    waiting.result()


def test_host_that_is_killed_while_stopped_is_missed_by_everybody(context_name, host, start_peer):
    client = start_peer(context_name)
    host.stop()
    client.start_and_sleep("context.get('never', timeout=None)")
    host.program.kill()
    with pytest.raises(RemoteError, match="HostDiedError"):
        client.result()
    with fastio.create_context(context_name) as context:
        assert context.is_host
