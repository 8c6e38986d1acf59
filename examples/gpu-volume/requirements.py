# SPDX-License-Identifier: Apache-2.0
"""Say what this example needs and this machine has not; exit with 6 then, as `clara` would."""

from __future__ import annotations

import importlib.util
import sys

import clara_fastio

#: The exit code of `clara` for what has to be there first; see ``docs/cli.md``.
PRECONDITION = 6


def missing() -> str:
    """Name what is missing, or nothing."""
    found = clara_fastio.capabilities()
    if not found.available:
        return f"it needs a GPU: {found.reason}"
    if importlib.util.find_spec("cupy") is None:
        return "it needs cupy; try: pip install 'clara-fastio[cuda]'"
    return ""


if __name__ == "__main__":
    if what := missing():
        print(f"gpu-volume cannot run here: {what}", file=sys.stderr)
        sys.exit(PRECONDITION)
