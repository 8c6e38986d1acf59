# SPDX-License-Identifier: Apache-2.0
"""Another user of the machine can neither open, list nor stop anything."""

from __future__ import annotations

import os

import pytest

from tests.helpers.processes import ROOT
from tests.ipc.peer import RemoteError

#: No user of a usual machine.
STRANGER = 54321

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")

#: Executed once everything is imported, for the stranger may not read the files it comes from.
BECOME_STRANGER = f"""
import os, socket, sys, time
from tests.ipc import wire
os.setgroups([])
os.setresgid({STRANGER}, {STRANGER}, {STRANGER})
os.setresuid({STRANGER}, {STRANGER}, {STRANGER})
"""


@pytest.fixture
def stranger(start_peer):
    """A process of another user."""
    stranger = start_peer(environment={"PYTHONPATH": str(ROOT)})
    stranger.run(BECOME_STRANGER)
    assert stranger.run("os.getuid()") == STRANGER
    return stranger


def test_stranger_finds_no_context_of_that_name(context, stranger):
    with pytest.raises(RemoteError, match="NotFoundError"):
        stranger.run(f"fastio.open_context({context.name!r})")


@pytest.mark.usefixtures("context")
def test_stranger_lists_nothing(stranger):
    assert stranger.run("fastio.list_contexts()") == []


def test_stranger_may_host_the_same_name_for_itself(context, stranger, block):
    stranger.run(f"own = fastio.create_context({context.name!r}, capacity=16)")
    assert stranger.run("len(own)") == 0
    stranger.run("own.close(); del own")
    assert context["block"].nbytes == block.nbytes


@pytest.mark.parametrize("message", ["INFO", "HELLO"])
def test_stranger_that_connects_gets_no_answer(context, stranger, message):
    stranger.run(
        f"""
        connection = wire.connect({context.name!r}, uid=0)
        try:
            connection.send(wire.pack(wire.{message}))
            answer = wire.receive(connection)
        except (BrokenPipeError, ConnectionResetError):
            answer = None
        connection.close()
        """
    )
    assert stranger.run("answer") is None
    assert {process.pid for process in context.processes()} == {os.getpid()}


@pytest.mark.usefixtures("block")
def test_stranger_that_connects_all_the_time_stops_nobody(context, stranger, peer):
    stranger.start(
        f"""
        connections = []
        for _ in range(500):
            try:
                connection = wire.connect({context.name!r}, uid=0)
            except OSError:
                continue
            connections.append(connection)
        len(connections) > 0
        """
    )
    for _ in range(50):
        peer.run("context.create(1000); context['block'].map('w', timeout=1).close()")
    assert stranger.result() is True
    peer.run("context.create(1000)")
    stranger.run("for connection in connections: connection.close()")


@pytest.mark.usefixtures("block")
def test_stranger_reaches_no_memory_through_proc(stranger):
    for place in (f"/proc/{os.getpid()}/fd", f"/proc/{os.getpid()}/map_files"):
        with pytest.raises(RemoteError, match="PermissionError"):
            stranger.run(f"os.listdir({place!r})")
    with pytest.raises(RemoteError, match="PermissionError"):
        stranger.run(f"open('/proc/{os.getpid()}/mem', 'rb')")


@pytest.mark.usefixtures("context")
def test_stranger_cannot_signal(stranger):
    with pytest.raises(RemoteError, match="PermissionError"):
        stranger.run(f"os.kill({os.getpid()}, 19)")


def test_stranger_cannot_use_the_socket_directory(context_name, stranger, start_peer, tmp_path):
    folder = tmp_path / "sockets"
    environment = {"CLARA_FASTIO_DIR": str(folder)}
    host = start_peer(environment=environment)
    host.run(f"context = fastio.create_context({context_name!r})")
    assert folder.stat().st_mode & 0o777 == 0o700
    stranger.run(f"os.environ['CLARA_FASTIO_DIR'] = {str(folder)!r}")
    with pytest.raises(RemoteError, match=r"SystemCallError|ValueError|NotFoundError"):
        stranger.run(f"fastio.open_context({context_name!r})")
    client = start_peer(context_name, environment=environment)
    assert client.run("len(context)") == 0


def test_directory_of_another_user_is_refused(context_name, start_peer, tmp_path):
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o700)
    os.chown(folder, STRANGER, STRANGER)
    host = start_peer(environment={"CLARA_FASTIO_DIR": str(folder)})
    with pytest.raises(RemoteError, match=r"ValueError.*belongs to user 54321"):
        host.run(f"fastio.create_context({context_name!r})")
