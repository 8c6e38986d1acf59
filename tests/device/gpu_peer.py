# SPDX-License-Identifier: Apache-2.0
"""Another process that does what the test says, with the fake driver loaded in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.helpers import fake_cuda
from tests.ipc.peer import Peer

if TYPE_CHECKING:
    from tests.conftest import RunProgram

PROGRAMS = Path(__file__).parent / "programs"

#: What every process has at hand beside `gpu`, `fastio` and `np`.
PRELUDE = f"""
import os, sys
sys.path.insert(0, {str(PROGRAMS)!r})
import gpu
s = gpu.stream()

def device_variable(name="x", words=1024, **options):
    return context.variable(name, shape=(words,), dtype="u32", memory="device", **options)

def write(variable, value, ms=0, on=None):
    mapping = variable.map("w", timeout=20, stream=on or s)
    gpu.fill(on or s, mapping.pointer, mapping.nbytes // 4, value, ms)
    mapping.commit()

def read(variable, ms=0, on=None):
    mapping = variable.map("r", timeout=20, stream=on or s)
    seen = gpu.read(on or s, mapping.pointer, mapping.nbytes // 4, ms)
    mapping.close()
    return seen
"""


class GpuPeer(Peer):
    """A `Peer` on the fake driver; `gpu`, a stream ``s``, ``write`` and ``read`` are at hand.

    Parameters
    ----------
    settings
        Environment variables: those of the library and those of the fake driver.
    """

    def __init__(
        self,
        run_program: RunProgram,
        context_name: str | None = None,
        settings: dict[str, str] | None = None,
        **options: Any,
    ) -> None:
        environment = {"CLARA_FASTIO_CUDA_DRIVER": str(fake_cuda.library()), **(settings or {})}
        super().__init__(run_program, None, environment=environment, **options)
        self.run(PRELUDE)
        if context_name is not None:
            self.run(f"context = fastio.open_context({context_name!r})")
