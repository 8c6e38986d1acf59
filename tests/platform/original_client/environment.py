# SPDX-License-Identifier: Apache-2.0
"""A virtual environment with the published client, which no process may share with ours.

It needs protobuf 3.20; ours needs one that is twice as new.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys

from tests.helpers.processes import ROOT

#: protobuf 3.20.3 has no compiled wheel for this Python, and works without.
REQUIREMENTS = ("nvidia-clara-client==0.8.1.7", "protobuf==3.20.3", "grpcio>=1.60", "setuptools<81")

_FOLDER = ROOT / "build" / "original-client"


def python_of_environment() -> str:
    """Give the interpreter of the environment, which is made where it is missing."""
    wanted = "\n".join((sys.version, *REQUIREMENTS))
    folder = _FOLDER / hashlib.sha256(wanted.encode()).hexdigest()[:16]
    python = folder / "bin" / "python"
    _FOLDER.mkdir(parents=True, exist_ok=True)
    with (_FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # Several runs of the tests may want it at once.
        if not (folder / "ready").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _run(sys.executable, "-m", "venv", str(folder))
            _run(str(python), "-m", "pip", "install", *REQUIREMENTS)
            (folder / "ready").touch()
    return str(python)


def _run(*command: str) -> None:
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=280, env=environment
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}")
