# SPDX-License-Identifier: Apache-2.0
"""The driver without a GPU: a library that makes up devices, built with the C++ tests."""

from __future__ import annotations

import os
from pathlib import Path

from tests.helpers.processes import ROOT

_BUILT = ROOT / "build" / "test" / "cpp" / "libfake_cuda.so"


def library() -> Path:
    """Give the path of the fake driver, for ``CLARA_FASTIO_CUDA_DRIVER``.

    ``FAKE_CUDA_LIBRARY`` names another than the one that is built here.

    Raises
    ------
    FileNotFoundError
        It is not built yet.
    """
    path = Path(os.environ.get("FAKE_CUDA_LIBRARY", _BUILT))
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing; run 'make build-test' first")
    return path
