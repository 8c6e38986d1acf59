# SPDX-License-Identifier: Apache-2.0
"""Reads a definition for a command; what is wrong is said with paths that the caller can open."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from clara_fastio.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from clara_fastio.pipeline import Pipeline, Problem

_LISTED = 100


def load_pipeline(path: Path, arguments: Mapping[str, str]) -> tuple[Pipeline, tuple[Problem, ...]]:
    """Read a pipeline, and what is odd about it.

    Raises
    ------
    DefinitionError
        It is wrong.
    """
    from clara_fastio.pipeline import load_definition

    try:
        pipeline = load_definition(path).resolve(arguments)
    except DefinitionError as error:
        problems = _below(path, error.problems)
        head = str(error).partition("\n")[0]
        lines = [f"  {problem}" for problem in problems[:_LISTED]]
        if len(problems) > _LISTED:
            lines.append(f"  and {len(problems) - _LISTED} more")
        raise DefinitionError("\n".join([head, *lines]), problems=problems) from error
    return pipeline, _below(path, pipeline.warnings)


def _below(path: Path, problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Name files as seen from here, not from the folder of the main file."""
    return tuple(
        dataclasses.replace(problem, file=str(path.parent / problem.file)) for problem in problems
    )
