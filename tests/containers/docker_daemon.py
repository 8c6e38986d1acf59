# SPDX-License-Identifier: Apache-2.0
"""A docker daemon of the tests' own, with its data below ``build/containers``."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).resolve().parents[2] / "build" / "containers" / "docker"
_LONGEST_START = 30


class NoDaemonError(Exception):
    """It cannot be run here; says why."""


@contextlib.contextmanager
def docker_daemon() -> Iterator[dict[str, str]]:
    """Run a daemon; gives the variables that lead docker's client to it."""
    if os.geteuid() != 0:
        raise NoDaemonError("only root can run docker's daemon")
    for program in ("dockerd", "containerd", "docker"):
        if shutil.which(program) is None:
            raise NoDaemonError(f"{program} is not installed")
    FOLDER.mkdir(parents=True, exist_ok=True)
    address = f"unix://{FOLDER}/socket"
    limits = {"nofile": 1024, "nproc": 4096}  # As for podman: a machine may not let us raise them.
    settings = {
        "data-root": f"{FOLDER}/data",
        "exec-root": f"{FOLDER}/exec",
        "pidfile": f"{FOLDER}/pid",
        "hosts": [address],
        "iptables": False,
        "bridge": "none",
        "default-ulimits": {
            name: {"Name": name, "Soft": value, "Hard": value} for name, value in limits.items()
        },
    }
    (FOLDER / "daemon.json").write_text(json.dumps(settings))
    environment = {"DOCKER_HOST": address, "DOCKER_CONFIG": str(FOLDER / "client")}
    with (FOLDER / "log").open("wb") as log:
        daemon = subprocess.Popen(
            ["dockerd", "--config-file", FOLDER / "daemon.json"],
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_for(daemon, environment)
        yield environment
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(_LONGEST_START)


def _wait_for(daemon: subprocess.Popen[bytes], environment: dict[str, str]) -> None:
    deadline = time.monotonic() + _LONGEST_START
    while daemon.poll() is None and time.monotonic() < deadline:
        asked = subprocess.run(
            ["docker", "info"], check=False, capture_output=True, env={**os.environ, **environment}
        )
        if asked.returncode == 0:
            return
        time.sleep(0.1)
    lines = (FOLDER / "log").read_text(errors="replace").splitlines()
    raise NoDaemonError(lines[-1] if lines else "it says nothing")
