# SPDX-License-Identifier: Apache-2.0
"""Fixtures that start servers and call them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from tests.platform.postgresql import PostgreSQL
from tests.platform.serving import ServerProgram, Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session", autouse=True)
def _records(request) -> Iterator[None]:
    """Give every server a database of its own in PostgreSQL, with ``--records=postgresql``."""
    if request.config.getoption("--records") == "sqlite":
        yield
        return
    ServerProgram.cluster = request.getfixturevalue("postgresql")
    yield
    ServerProgram.cluster = None


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """Start a server of PostgreSQL."""
    server = PostgreSQL()
    yield server
    server.remove()


@pytest.fixture
def serve(tmp_path) -> Iterator[Callable[..., ServerProgram]]:
    """Start servers; `root` is in the test's folder unless it is given."""
    with contextlib.ExitStack() as stack:

        def start(*options: str, root: Path | None = None, **settings: Any) -> ServerProgram:
            program = ServerProgram(root or tmp_path / "root", *options, **settings)
            stack.callback(program.stop)
            return program

        yield start


@pytest.fixture
def server(serve) -> ServerProgram:
    """Start a server that runs any command."""
    return serve("--allow-any-command")


@pytest.fixture
def wire(server) -> Iterator[Wire]:
    """Call the server."""
    with server.connect() as channel:
        yield Wire(channel)
