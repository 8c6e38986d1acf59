# SPDX-License-Identifier: Apache-2.0
"""Puts the modules of the brain example, which this one shares, where imports look for them."""

from __future__ import annotations

import sys
from pathlib import Path

#: After this folder's own.
sys.path.append(str(Path(__file__).resolve().parent.parent / "brain"))
