# SPDX-License-Identifier: Apache-2.0
"""The soak run for seconds in place of minutes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(120)
def test_nothing_grows_in_ten_seconds():
    done = subprocess.run(
        [sys.executable, "-m", "tests.soak", "--minutes", "0.16", "--samples", "10"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing grows" in done.stdout
    assert "edge steady" in done.stdout
