# SPDX-License-Identifier: Apache-2.0
"""Compile and load `step.pyx`: what an empty call, a mutex and an array cost from Python."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.harness.workers import BUILD

if TYPE_CHECKING:
    from types import ModuleType

_SOURCE = Path(__file__).with_name("step.pyx")
_MODULE = BUILD / f"step{sysconfig.get_config_var('EXT_SUFFIX')}"


def load() -> ModuleType:
    """Compile the module if that has not been done, and import it."""
    if not _MODULE.exists() or _MODULE.stat().st_mtime < _SOURCE.stat().st_mtime:
        _compile()
    loader = importlib.machinery.ExtensionFileLoader("step", str(_MODULE))
    spec = importlib.machinery.ModuleSpec("step", loader, origin=str(_MODULE))
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def _compile() -> None:
    BUILD.mkdir(parents=True, exist_ok=True)
    generated = BUILD / "step.c"
    new = _MODULE.with_suffix(".new")
    subprocess.run(
        [sys.executable, "-m", "cython", "-3", str(_SOURCE), "-o", str(generated)], check=True
    )
    includes = [sysconfig.get_path("include"), np.get_include()]
    subprocess.run(
        [
            *("cc", "-O3", "-DNDEBUG", "-shared", "-fPIC", "-pthread"),
            "-DNPY_NO_DEPRECATED_API=NPY_2_0_API_VERSION",
            *(f"-I{folder}" for folder in includes),
            *(str(generated), "-o", str(new)),
        ],
        check=True,
    )
    Path(new).replace(_MODULE)
