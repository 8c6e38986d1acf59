# SPDX-License-Identifier: Apache-2.0
"""What the tests of the runner share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.helpers.workshop import Workshop

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """An empty folder to put programs and a definition into; jobs work in ``state`` below it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Workshop(tmp_path)
