# SPDX-License-Identifier: Apache-2.0
"""Clients of real servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clara_fastio.platform import Client
from tests.platform.serving import ServerProgram

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory) -> Iterator[ServerProgram]:
    """One server for the tests of a file that can live with what others have made there."""
    program = ServerProgram(tmp_path_factory.mktemp("server") / "root", "--allow-any-command")
    yield program
    program.stop()


@pytest.fixture
def client(shared_server) -> Iterator[Client]:
    """Call that server."""
    with Client(shared_server.address) as made:
        yield made


@pytest.fixture
def only_client(server) -> Iterator[Client]:
    """Call a server that nobody else calls."""
    with Client(server.address) as made:
        yield made
