# SPDX-License-Identifier: Apache-2.0
"""The modules of the microscope example, and its slides."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

MICROSCOPE = Path(__file__).resolve().parents[3] / "examples" / "microscope"
sys.path.insert(0, str(MICROSCOPE))


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the photographs of the slides."""
    from prepare_slides import prepare_slides

    folder = tmp_path_factory.mktemp("slides")
    prepare_slides(folder)
    return folder
