# SPDX-License-Identifier: Apache-2.0
"""Options of a command out of a file: what the command line does not say, the file does."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads it
from typing import Any

import typer


def use_option_file(context: typer.Context, path: Path | None) -> Path | None:
    """Take the options in a YAML file as defaults; called for an eager option.

    Raises
    ------
    typer.BadParameter
        The file is no object of options, or one of them is unknown.
    """
    if path is None:
        return None
    values = _read(path)
    known = {parameter.name or "" for parameter in context.command.params}
    options = {str(name).replace("-", "_"): value for name, value in values.items()}
    unknown = sorted(options.keys() - (known - {"config", "help"}))
    if unknown:
        raise typer.BadParameter(
            f"{str(path)!r} has the unknown option {unknown[0].replace('_', '-')!r}; its names are "
            "those of the command line, without the dashes before them"
        )
    context.default_map = {**(context.default_map or {}), **options}
    return path


def _read(path: Path) -> dict[Any, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        values = YAML(typ="safe", pure=True).load(path.read_text())
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise typer.BadParameter(f"{str(path)!r} cannot be read: {error}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise typer.BadParameter(f"{str(path)!r} holds no options, but {type(values).__name__}")
    return values
