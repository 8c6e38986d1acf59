# SPDX-License-Identifier: Apache-2.0
"""The program ``clara`` in front of a real server."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from clara_fastio.cli.app import app
from tests.platform.client.definitions import SHOUT, SLEEP
from tests.platform.serving import ServerProgram

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Terminal:
    """Runs ``clara`` in a folder of its own."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder = folder
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("CLARA_")},
            "CLARA_HOST": address,
            "HOME": str(folder),
            "COLUMNS": "100",
        }

    def run(
        self, *arguments: object, **environment: str | None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; a variable that is none is unset."""
        changed = self.environment | environment
        return subprocess.run(
            [sys.executable, "-m", "clara_fastio.cli", *map(str, arguments)],
            check=False,
            capture_output=True,
            text=True,
            timeout=30,
            cwd=self.folder,
            env={name: value for name, value in changed.items() if value is not None},
        )

    def __call__(self, *arguments: object) -> str:
        """Run a command that has to work, and give what it prints.

        It runs in this process: to start a program takes longer than to do what it is for.
        """
        output, errors = (io.TextIOWrapper(io.BytesIO(), write_through=True) for _ in range(2))
        with (
            contextlib.chdir(self.folder),
            mock.patch.dict(os.environ, self.environment, clear=True),
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(errors),
        ):
            before = signal.getsignal(signal.SIGINT)
            try:
                words = [str(each) for each in arguments]
                code = app(words, prog_name="clara", standalone_mode=False)
            finally:
                signal.signal(signal.SIGINT, before)
        assert code in {None, 0}
        assert errors.buffer.getvalue() == b""
        return output.buffer.getvalue().decode()


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[ServerProgram]:
    program = ServerProgram(tmp_path_factory.mktemp("server") / "root", "--allow-any-command")
    yield program
    program.stop()


@pytest.fixture
def clara(server, tmp_path) -> Terminal:
    (tmp_path / "shout.yaml").write_text(SHOUT)
    (tmp_path / "sleep.yaml").write_text(SLEEP)
    (tmp_path / "input").mkdir()
    (tmp_path / "input" / "words").write_text("so quiet\n")
    return Terminal(tmp_path, server.address)


@pytest.fixture
def pipeline(clara) -> str:
    return clara("create", "pipeline", "shout.yaml", "-q").strip()
