# SPDX-License-Identifier: Apache-2.0
"""Pipelines whose operators run in containers, for real, by each engine that there is."""

from __future__ import annotations

import json
import subprocess
import textwrap
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.containers.docker_daemon import docker_daemon
from tests.containers.prepare import IMAGE, OUTCOME, environment
from tests.helpers.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def _require(engine: str) -> None:
    if not OUTCOME.exists():
        pytest.skip("no image was built; `make test-containers` does, and runs these tests")
    if reason := json.loads(OUTCOME.read_text())[engine]:
        pytest.skip(f"{engine} cannot run here: {reason}")


@pytest.fixture(scope="session")
def podman() -> dict[str, str]:
    """Variables that let podman use what `tests.containers.prepare` has made."""
    _require("podman")
    return environment()


@pytest.fixture(scope="session")
def docker() -> Iterator[dict[str, str]]:
    """Run a docker daemon; gives the variables that lead to it."""
    _require("docker")
    with docker_daemon() as client:
        yield client


@pytest.fixture(params=["podman", "docker"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of an engine that works and has the image."""
    for name, value in request.getfixturevalue(request.param).items():
        monkeypatch.setenv(name, value)
    return request.param


class ContainerWorkshop(Workshop):
    """Programs are texts that the Python of an engine's image runs."""

    def __init__(self, folder: Path, engine: str) -> None:
        super().__init__(folder)
        self.engine = engine

    def program(self, name: str, source: str) -> None:
        """Name a Python program."""
        command = ["python", "-W", "error", "-c", textwrap.dedent(source)]
        self._commands[name] = json.dumps(command)

    def define(self, text: str) -> Path:
        """Write the definition; ``<image>`` is the one that was built."""
        return super().define(text.replace("<image>", IMAGE))

    def run(self, definition: str, *arguments: Any, **settings: Any) -> Any:
        """Run a definition in this process."""
        return super().run(definition, *arguments, **{"runtime": self.engine, **settings})

    def containers(self) -> list[str]:
        """Name all containers that there are, whatever their state."""
        return subprocess.run(
            [self.engine, "ps", "--all", "--format", "{{.Names}}"],
            check=True,
            capture_output=True,
            text=True,
            timeout=30,
        ).stdout.split()

    def wait_until_gone(self, timeout: float = 15) -> list[str]:
        """Wait until there is no container; gives those that are still there."""
        deadline = time.monotonic() + timeout
        while (left := self.containers()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return left


@pytest.fixture
def workshop(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ContainerWorkshop]:
    """A folder for definitions; no container may be left at the end of a test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    workshop = ContainerWorkshop(tmp_path, engine)
    yield workshop
    left = workshop.containers()
    if left:
        subprocess.run([engine, "rm", "--force", *left], check=True, timeout=50)
    assert left == []
