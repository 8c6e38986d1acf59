# SPDX-License-Identifier: Apache-2.0
"""The sockets that operators in containers connect to; needs no container."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from clara_fastio.driver.control import ControlChannel
from clara_fastio.errors import DriverError, LayoutError
from clara_fastio.runner.runtimes.awaited_channel import AwaitedChannel
from clara_fastio.runner.runtimes.door import Door
from clara_fastio.runner.runtimes.owner import is_dead, owner_mark
from tests.helpers.names import unique_name

if TYPE_CHECKING:
    from collections.abc import Callable

STRANGER = """
    import os, socket, sys
    os.setuid(65534)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(sys.argv[1])
        print("connected", flush=True)
        print(connection.recv(1), flush=True)
"""


async def hear(path: Path, act: Callable[[AwaitedChannel], object]) -> list[dict[str, Any]]:
    """Collect what a channel hears while `act` does something."""
    channel = AwaitedChannel(Door(path, socket.SOCK_STREAM))
    await channel.open()
    found: list[dict[str, Any]] = []

    async def collect() -> None:
        found.extend([message async for message in channel.messages()])

    try:
        hearing = asyncio.create_task(collect())
        await asyncio.sleep(0)
        act(channel)
        await asyncio.wait_for(hearing, 10)
    finally:
        channel.close()
        channel.close()
    return found


def say(path: Path, *kinds: str) -> bytes:
    """Connect, send messages and give what there was to read."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.fspath(path))
        for kind in kinds:
            connection.sendall(json.dumps({"kind": kind}).encode() + b"\n")
        connection.settimeout(0.2)
        try:
            return connection.recv(100)
        except TimeoutError:
            return b""


def test_a_folder_may_have_a_longer_path_than_a_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 100) / ("y" * 100)
    folder.mkdir(parents=True)
    door = Door(folder / "control", socket.SOCK_STREAM)
    assert (folder / "control").is_socket()
    door.close()
    door.close()
    assert door.accept() is None


def test_a_driver_is_heard(tmp_path: Path) -> None:
    messages = asyncio.run(
        hear(tmp_path / "door", lambda _: say(tmp_path / "door", "hello", "phase"))
    )
    assert [message["kind"] for message in messages] == ["hello", "phase"]


def test_who_does_not_greet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="'completed' in place of a greeting"):
        asyncio.run(hear(tmp_path / "door", lambda _: say(tmp_path / "door", "completed")))


def test_what_was_sent_before_is_kept(tmp_path: Path) -> None:
    async def converse() -> bytes:
        channel = AwaitedChannel(Door(tmp_path / "door", socket.SOCK_STREAM))
        await channel.open()
        channel.send_message("ready")
        driver = asyncio.create_task(asyncio.to_thread(say, tmp_path / "door", "hello"))
        async for _ in channel.messages():
            pass
        channel.close()
        return await driver

    assert asyncio.run(converse()) == b'{"kind": "ready"}\n'


def test_nobody_comes(tmp_path: Path) -> None:
    assert asyncio.run(hear(tmp_path / "door", AwaitedChannel.expect_nobody)) == []


def test_who_is_at_the_door_at_the_end_is_still_heard(tmp_path: Path) -> None:
    """A driver may connect, say everything and end before the runner looks."""

    def act(channel: AwaitedChannel) -> None:
        say(tmp_path / "door", "hello", "completed")
        channel.expect_nobody()

    kinds = [message["kind"] for message in asyncio.run(hear(tmp_path / "door", act))]
    assert kinds == ["hello", "completed"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_another_user_is_turned_away(run_program: Any) -> None:
    path = Path(tempfile.gettempdir(), unique_name("door"))  # Where strangers come to as well.
    door = Door(path, socket.SOCK_STREAM)
    try:
        path.chmod(0o777)
        stranger = run_program(STRANGER, path)
        stranger.expect("connected")
        assert door.accept() is None
        stranger.expect("b''")
    finally:
        door.close()
        path.unlink()


def test_a_driver_connects_and_the_environment_forgets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = Door(tmp_path / "door", socket.SOCK_STREAM)
    place = f"path:{tmp_path / 'door'}"
    monkeypatch.setenv("CLARA_FASTIO_CONTROL", place)
    channel = ControlChannel.claim(place, 1)
    assert "CLARA_FASTIO_CONTROL" not in os.environ
    with door.accept() as connection:
        channel.close(succeeded=True)
        assert json.loads(connection.recv(100))["kind"] == "completed"
    door.close()


def test_a_door_that_is_closed_is_named(tmp_path: Path) -> None:
    with pytest.raises(DriverError, match=r"names the socket .*/none, which cannot be connected"):
        ControlChannel.claim(f"path:{tmp_path / 'none'}", 1)


def test_only_the_marks_of_ended_processes_are_dead(run_program: Any) -> None:
    program = run_program(
        """
        from clara_fastio.runner.runtimes.owner import owner_mark
        print(owner_mark(), flush=True)
        input()
        """
    )
    mark = program.read_line()
    assert not is_dead(mark)
    program.kill()
    assert is_dead(mark)
    assert not is_dead(owner_mark())
    boot, namespace, user, pid, start = mark.split("/")
    assert is_dead(f"another/{namespace}/{user}/{pid}/{start}")
    assert not is_dead(f"{boot}/7/{user}/{pid}/{start}")
    assert not is_dead(f"{boot}/{namespace}/{user}1/{pid}/{start}")
    assert not is_dead("nonsense")
