# SPDX-License-Identifier: Apache-2.0
"""The image of the server."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from tests.containers.prepare import SERVER_IMAGE
from tests.helpers.names import unique_name

if TYPE_CHECKING:
    import pytest


def test_the_server_serves_and_ends_when_it_is_asked(
    podman: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in podman.items():
        monkeypatch.setenv(variable, value)
    name = unique_name("server")
    server = subprocess.Popen(
        ["podman", "run", "--rm", "--init", "--network=none", "--name", name, SERVER_IMAGE],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        with server.stdout:
            assert server.stdout.readline() == "listening on 127.0.0.1:30031\n"
            listed = subprocess.run(
                ["podman", "exec", name, "clara", "version"],
                check=True,
                capture_output=True,
                text=True,
                timeout=30,
            )
            assert listed.stdout
            subprocess.run(["podman", "stop", "--time=20", name], check=True, timeout=30)
        assert server.wait(30) == 0
    finally:
        subprocess.run(
            ["podman", "rm", "--force", "--ignore", "--time=0", name], check=False, timeout=30
        )
