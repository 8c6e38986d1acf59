# SPDX-License-Identifier: Apache-2.0
"""Stores of their own, volumes that are full soon, and short ways to call the service."""

from __future__ import annotations

import random
import subprocess
from typing import TYPE_CHECKING

import pytest

from clara_fastio.platform.payloads.store import PayloadStore
from clara_fastio.platform.records.payloads import PayloadType
from tests.platform.payloads.shelf import Requests, Shelf
from tests.platform.serving import ServerProgram, Wire

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def store(tmp_path) -> PayloadStore:
    return PayloadStore(tmp_path / "root")


@pytest.fixture
def shelf(store) -> Shelf:
    """A reusable payload."""
    return Shelf(store, PayloadType.REUSABLE)


@pytest.fixture
def job_shelf(store) -> Shelf:
    """A payload of a job."""
    return Shelf(store, PayloadType.PIPELINE)


@pytest.fixture
def drafts(tmp_path):
    """List what is on its way."""
    return lambda: sorted((tmp_path / "root" / "uploads").iterdir())


@pytest.fixture
def small_volume(tmp_path) -> Iterator[Path]:
    """Mount a volume of 16 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    try:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)],
            check=True,
            capture_output=True,
        )
    except subprocess.CalledProcessError as error:
        pytest.skip(f"nothing can be mounted here: {error.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(scope="module")
def options() -> tuple[str, ...]:
    """What the server is told."""
    return ()


@pytest.fixture(scope="module")
def server(tmp_path_factory, options) -> Iterator[ServerProgram]:
    """Start one server for all tests of a file: each makes payloads of its own."""
    program = ServerProgram(tmp_path_factory.mktemp("server") / "root", *options)
    yield program
    program.stop()


@pytest.fixture(scope="module")
def wire(server) -> Iterator[Wire]:
    """Call the server."""
    with server.connect() as channel:
        yield Wire(channel)


@pytest.fixture
def reusable(wire) -> Requests:
    """A new reusable payload of the server."""
    return Requests(wire.Payloads.Create().payload_id)


@pytest.fixture
def listed(wire):
    """Names and sizes of the files of a payload."""

    def look(requests: Requests) -> dict[str, int]:
        answers = wire.Payloads.Details(requests.Details())
        return {a.file.name: a.file.size for a in answers if a.HasField("file")}

    return look


@pytest.fixture
def downloaded(wire):
    """The content of a file of a payload."""

    def fetch(requests: Requests, name: str) -> bytes:
        return b"".join(a.data for a in wire.Payloads.Download(requests.Download(name=name)))

    return fetch


@pytest.fixture
def random_bytes():
    """Bytes of which no two stretches are equal."""
    return random.Random(1).randbytes
