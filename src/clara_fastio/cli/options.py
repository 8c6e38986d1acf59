# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer


def parse_arguments(pairs: list[str]) -> dict[str, str]:
    """Turn ``NAME=VALUE`` texts into the arguments of a pipeline."""
    arguments = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise typer.BadParameter(f"{pair!r} is not of the form NAME=VALUE")
        arguments[name] = value
    return arguments


JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
ArgumentsOption = Annotated[
    list[str],
    typer.Option(
        "--argument",
        "-a",
        metavar="NAME=VALUE",
        help="Set a parameter of the pipeline; may be given several times.",
    ),
]
