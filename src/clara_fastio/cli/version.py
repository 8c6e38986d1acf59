# SPDX-License-Identifier: Apache-2.0
"""``clara version``."""

from __future__ import annotations

from clara_fastio.cli.options import JsonOption  # noqa: TC001 - typer reads it
from clara_fastio.cli.output import print_json


def version(*, as_json: JsonOption = False) -> None:
    """Print the version of the library and of Python."""
    import platform
    from importlib import metadata

    found = {
        "clara-fastio": metadata.version("clara-fastio"),
        "python": platform.python_version(),
    }
    if as_json:
        print_json(found)
    else:
        for name, number in found.items():
            print(f"{name} {number}")
