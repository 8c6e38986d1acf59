# SPDX-License-Identifier: Apache-2.0
"""Pipelines whose operators run in containers, for real."""

from __future__ import annotations

import json
import subprocess
import textwrap
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.containers.prepare import IMAGE, OUTCOME, environment
from tests.helpers.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def podman() -> Iterator[str]:
    """Let podman use what `tests.containers.prepare` has made; gives the name of the image."""
    if not OUTCOME.exists():
        pytest.skip("no image was built; `make test-containers` does, and runs these tests")
    if reason := json.loads(OUTCOME.read_text())["reason"]:
        pytest.skip(f"podman cannot run a container here: {reason}")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment().items():
            patch.setenv(name, value)
        yield IMAGE


class ContainerWorkshop(Workshop):
    """Programs are texts that the image's Python runs."""

    runtime = "podman"

    def __init__(self, folder: Path, image: str) -> None:
        super().__init__(folder)
        self._image = image

    def program(self, name: str, source: str) -> None:
        """Name a Python program."""
        command = ["python", "-W", "error", "-c", textwrap.dedent(source)]
        self._commands[name] = json.dumps(command)

    def define(self, text: str) -> Path:
        """Write the definition; ``<image>`` is the one that was built."""
        return super().define(text.replace("<image>", self._image))

    def run(self, definition: str, *arguments: Any, **settings: Any) -> Any:
        """Run a definition in this process."""
        return super().run(definition, *arguments, **{"runtime": self.runtime, **settings})


def containers() -> list[str]:
    """Name all containers that there are, whatever their state."""
    return subprocess.run(
        ["podman", "ps", "--all", "--format", "{{.Names}}"],
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    ).stdout.split()


def wait_until_gone(timeout: float = 15) -> list[str]:
    """Wait until there is no container; gives those that are still there."""
    deadline = time.monotonic() + timeout
    while (left := containers()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


@pytest.fixture
def workshop(
    podman: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ContainerWorkshop]:
    """A folder for definitions; no container may be left at the end of a test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    yield ContainerWorkshop(tmp_path, podman)
    left = containers()
    if left:
        subprocess.run(["podman", "rm", "--force", "--time=0", *left], check=True, timeout=30)
    assert left == []
