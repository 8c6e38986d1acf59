# SPDX-License-Identifier: Apache-2.0
"""What the tests of jobs share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.platform.jobs.runs import Bench

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)
