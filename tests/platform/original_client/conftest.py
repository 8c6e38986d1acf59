# SPDX-License-Identifier: Apache-2.0
"""The published client, in a process and an environment of its own, in front of a real server."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.platform.original_client.environment import python_of_environment
from tests.platform.serving import ServerProgram

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROGRAM = Path(__file__).parent / "programs" / "serve_calls.py"


class OriginalClientError(Exception):
    """What the published client raised; its text is the message."""


class OriginalClient:
    """Calls functions of the modules in ``programs``: ``original.jobs.create(...)``."""

    def __init__(self, python: str, address: str) -> None:
        self._process = subprocess.Popen(
            [python, str(_PROGRAM), address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __getattr__(self, module: str) -> _Module:
        return _Module(self, module)

    def call(self, module: str, name: str, arguments: tuple[Any, ...], fields: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([module, name, arguments, fields]) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise OriginalClientError(answer["error"])
        return answer["value"]

    def close(self) -> None:
        self._process.communicate(timeout=20)


class _Module:
    def __init__(self, client: OriginalClient, name: str) -> None:
        self._client, self._name = client, name

    def __getattr__(self, function: str) -> Any:
        def call(*arguments: Any, **fields: Any) -> Any:
            return self._client.call(self._name, function, arguments, fields)

        return call


@pytest.fixture(scope="session")
def original_python() -> str:
    return python_of_environment()


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[ServerProgram]:
    """One server for the tests of a file."""
    program = ServerProgram(tmp_path_factory.mktemp("server") / "root", "--allow-any-command")
    yield program
    program.stop()


@pytest.fixture(scope="module")
def original(original_python, server) -> Iterator[OriginalClient]:
    """One process with the published client for the tests of a file."""
    client = OriginalClient(original_python, server.address)
    yield client
    client.close()
