# SPDX-License-Identifier: Apache-2.0
"""The multi-process service, with which kernels of several processes run together; for a while."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = "nvidia-cuda-mps-control"

#: Where drivers that are mounted into a machine keep their programs.
FOLDERS = os.pathsep.join((os.environ.get("PATH", ""), "/usr/local/nvidia/bin", "/usr/bin"))


def why_not() -> str:
    """Say why there is none, or nothing."""
    if os.environ.get("CLARA_FASTIO_CUDA_DRIVER"):
        return "another driver than the vendor's is in use"
    return "" if shutil.which(PROGRAM, path=FOLDERS) else f"{PROGRAM} is not installed"


@contextlib.contextmanager
def running() -> Iterator[dict[str, str]]:
    """Run the service in folders of its own.

    Yields
    ------
    dict
        The environment by which processes find it.
    """
    program = shutil.which(PROGRAM, path=FOLDERS) or PROGRAM
    with tempfile.TemporaryDirectory(prefix="mps-", ignore_cleanup_errors=True) as folder:
        environment = {"CUDA_MPS_PIPE_DIRECTORY": folder, "CUDA_MPS_LOG_DIRECTORY": folder}
        everything = {**os.environ, **environment}
        subprocess.run([program, "-d"], env=everything, check=True, timeout=20)
        try:
            yield environment
        finally:
            # Refused while clients live; they are killed before this by whoever started them.
            with contextlib.suppress(subprocess.SubprocessError):
                subprocess.run(
                    [program],
                    input="quit -t 5\n",
                    env=everything,
                    text=True,
                    timeout=20,
                    check=False,
                )
