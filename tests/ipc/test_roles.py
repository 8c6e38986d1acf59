# SPDX-License-Identifier: Apache-2.0
"""Who hosts, who produces what, and how processes find each other."""

from __future__ import annotations

import os

import pytest

import clara_fastio as fastio
from tests.ipc.peer import RemoteError


@pytest.fixture
def start_operator(context, start_peer):
    """Start a process with an inherited connection, as a runner does."""

    def start(role):
        descriptor = context.connection(role)
        try:
            operator = start_peer(
                pass_fds=(descriptor,), environment={"CLARA_FASTIO_SOCKET": f"fd:{descriptor}"}
            )
        finally:
            os.close(descriptor)
        operator.run("context = fastio.open_context()")
        return operator

    return start


def test_one_of_many_becomes_the_host(context_name, start_peer):
    peers = [start_peer() for _ in range(5)]
    for one in peers:
        one.start(f"context = fastio.create_context({context_name!r}, capacity=16)")
    hosts, errors = [], []
    for one in peers:
        try:
            one.result()
        except RemoteError as error:
            errors.append(str(error).partition(":")[0])
        else:
            hosts.append(one)
    assert errors == ["AlreadyExistsError"] * 4
    assert len(hosts) == 1
    hosts[0].run("context.close()")


def test_open_waits_for_a_host(context_name, start_peer):
    client, host = start_peer(), start_peer()
    with pytest.raises(RemoteError, match="NotFoundError"):
        client.run(f"fastio.open_context({context_name!r}, timeout=0)")
    client.start(f"context = fastio.open_context({context_name!r}, timeout=30)")
    host.run(f"context = fastio.create_context({context_name!r}, capacity=16)")
    client.result()
    assert client.run("context.name") == context_name


def test_get_waits_for_a_name_of_another_process(context, peer):
    peer.start_and_sleep("block = context.get('late', timeout=None)")
    block = context.create(128)
    block.publish("late")
    peer.result()
    assert peer.run("block.nbytes") == 128


def test_wait_for_a_version_of_another_process(context, peer):
    variable = context.variable("v", shape=(4,))
    peer.start_and_sleep("context['v'].wait(version=3, timeout=None)")
    for number in range(3):
        with variable.map("w") as array:
            array[...] = number
    assert peer.result() == 3


def test_first_read_waits_for_the_first_write(context, peer):
    variable = context.variable("v", shape=(4,), dtype="i32")
    peer.start_and_sleep("context['v'].map('r', timeout=None).array.tolist()")
    with variable.map("w") as array:
        array[...] = 5
    assert peer.result() == [5, 5, 5, 5]


def test_output_is_written_by_its_operator_only(context, start_operator, peer):
    context.declare("op/image", (4,), "i32", producer="op")
    operator, other = start_operator("op"), start_operator("other")
    assert operator.run("context.role, context['op/image'].is_allocated") == ["op", True]
    for stranger in (other, peer):
        assert stranger.run("context['op/image'].access") == "r"
        with pytest.raises(RemoteError, match="ReadOnlyError"):
            stranger.run("context['op/image'].map('w')")
    with pytest.raises(fastio.ReadOnlyError):
        context["op/image"].map("w")
    operator.run("with context['op/image'].map() as array: array[...] = 3")
    assert other.run("context['op/image'].map().array.tolist()") == [3, 3, 3, 3]


def test_operator_that_is_restarted_goes_on_with_fresh_memory(context, start_operator):
    output = context.declare("op/image", (100_000,), "u8", producer="op")
    first = start_operator("op")
    first.run("with context['op/image'].map() as array: array[...] = 1")
    mapping = output.map("r")
    old = mapping.array
    mapping.close()
    first.program.kill()
    second = start_operator("op")
    second.run("with context['op/image'].map(timeout=1) as array: array[...] = 2")
    assert (old == 1).all()
    with output.map("r") as array:
        assert (array == 2).all()
    assert output.version == 2


def test_those_who_wait_hear_that_the_operator_died(context, start_operator):
    output = context.declare("op/image", (100_000,), "u8", producer="op")
    operator, waiting = start_operator("op"), start_operator("next")
    waiting.start_and_sleep("context['op/image'].map('r', timeout=None)")
    operator.program.kill()
    with pytest.raises(RemoteError, match="PeerDiedError"):
        waiting.result()
    with pytest.raises(fastio.PeerDiedError):
        output.wait(version=1)


def test_variable_is_declared_once_and_opened_by_all(context, peer):
    context.variable("v", shape=(None, 4), dtype="f32")
    peer.run("variable = context.variable('v', shape=(None, 4), dtype='f32')")
    for arguments, error in (
        ("shape=(None, 5), dtype='f32'", "ShapeError"),
        ("shape=(None, 4), dtype='f64'", "ElementTypeError"),
    ):
        with pytest.raises(RemoteError, match=error):
            peer.run(f"context.variable('v', {arguments})")


def test_writer_of_a_variable_keeps_others_from_writing(context, peer):
    variable = context.variable("v", shape=(4,))
    with variable.map("w") as array:
        array[...] = 1
    with pytest.raises(RemoteError, match="ReadOnlyError"):
        peer.run("context['v'].map('w')")


def test_connection_of_a_host_that_died_says_so(context_name, start_peer):
    host = start_peer()
    host.run(f"context = fastio.create_context({context_name!r}, capacity=16)")
    client = start_peer(context_name)
    client.start_and_sleep("context.get('never', timeout=None)")
    host.program.kill()
    with pytest.raises(RemoteError, match="HostDiedError"):
        client.result()
