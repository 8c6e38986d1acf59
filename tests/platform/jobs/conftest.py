# SPDX-License-Identifier: Apache-2.0
"""What the tests of jobs share."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from tests.platform.jobs.office import Office
from tests.platform.jobs.runs import Bench
from tests.platform.serving import ServerProgram, Wire

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Call a server that the tests of a file share."""
    server = ServerProgram(
        tmp_path_factory.mktemp("server") / "root", "--allow-any-command", "--grace", "2"
    )
    with contextlib.closing(server.connect()) as channel:
        yield Office(Wire(channel))
    server.stop()
