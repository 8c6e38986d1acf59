# SPDX-License-Identifier: Apache-2.0
"""The arguments of a job for the parameters of its pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clara_fastio.pipeline import names
from clara_fastio.pipeline.problems import quote
from clara_fastio.pipeline.template import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clara_fastio.pipeline.document import Object
    from clara_fastio.pipeline.problems import Problems
    from clara_fastio.pipeline.template import Scope


def take_arguments(
    arguments: Mapping[str, object], scope: Scope, document: Object, problems: Problems
) -> None:
    """Let arguments replace the defaults of a pipeline's parameters."""
    where = document.get("parameters") or document
    given: set[str] = set()
    for name, text in arguments.items():
        if not isinstance(text, str):
            message = f"the argument {name!r} is not a str but {type(text).__name__}"
            raise TypeError(message)
        if name not in scope:
            problems.error_at(
                where.position,
                f"the argument {quote(name)} is not a parameter of the pipeline",
                expected=", ".join(scope.spelling.values()) or "no arguments",
                hint=problems.did_you_mean(name, scope.spelling.values()),
            )
        elif names.key(name) in given:
            problems.error_at(
                where.position,
                f"the argument {quote(name)} is given twice",
                hint="names are not case-sensitive",
            )
        elif not _can_be_handed_on(text):
            problems.error_at(
                where.position,
                f"the argument {quote(name)} holds a character that no program can be given",
                found=quote(text),
            )
        else:
            given.add(names.key(name))
            scope.declare(name, Value(text, templated=True))


def _can_be_handed_on(text: str) -> bool:
    return not any(character == "\0" or "\ud800" <= character <= "\udfff" for character in text)
