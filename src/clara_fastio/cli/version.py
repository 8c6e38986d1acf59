# SPDX-License-Identifier: Apache-2.0
"""``clara version``."""

from __future__ import annotations

from typing import Annotated

import typer

from clara_fastio.cli.connection import ConfigOption, RawOption, connect
from clara_fastio.cli.output import print_json


def version(
    *,
    host: Annotated[
        str, typer.Option("--host", metavar="HOST:PORT", help="Ask this server for its own, too.")
    ] = "",
    config: ConfigOption = None,
    as_json: RawOption = False,
) -> None:
    """Print the version of the library and of Python, and of a server that is named."""
    import platform
    from importlib import metadata

    found = {
        "clara-fastio": metadata.version("clara-fastio"),
        "python": platform.python_version(),
    }
    if host:
        with connect(host, config) as client:
            found[f"server {client.address}"] = str(client.server.version())
    if as_json:
        print_json(found)
    else:
        for name, number in found.items():
            print(f"{name} {number}")
