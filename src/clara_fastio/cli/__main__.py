# SPDX-License-Identifier: Apache-2.0
"""``python -m clara_fastio.cli``: the program ``clara``."""

from __future__ import annotations

from clara_fastio.cli import main

main()
