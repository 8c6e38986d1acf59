# SPDX-License-Identifier: Apache-2.0
"""Definitions as tests write them: a mark stands where a problem is expected."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from clara_fastio.errors import DefinitionError
from clara_fastio.pipeline import Pipeline, Problem, load_definition

MARK = "§"
DATA = Path(__file__).parent / "data"


def unmark(text: str) -> tuple[str, list[tuple[int, int]]]:
    """Take the marks out of a text; give the line and column of each."""
    text = textwrap.dedent(text).lstrip("\n")
    places = []
    lines = text.split("\n")
    for number, line in enumerate(lines, start=1):
        parts = line.split(MARK)
        before = 0
        for part in parts[:-1]:
            before += len(part)
            places.append((number, before + 1))
    return text.replace(MARK, ""), places


def resolve(text: str | dict[str, str], arguments: dict[str, str] | None = None) -> Pipeline:
    files = text if isinstance(text, dict) else {"main.yaml": text}
    files = {name: textwrap.dedent(content) for name, content in files.items()}
    return load_definition(files).resolve(arguments)


def problems_of(
    text: str | dict[str, str], arguments: dict[str, str] | None = None
) -> tuple[Problem, ...]:
    with pytest.raises(DefinitionError) as caught:
        resolve(text, arguments)
    error = caught.value
    first = error.problems[0]
    assert (error.file, error.line, error.column) == (first.file, first.line, first.column)
    assert str(first) in str(error)
    return error.problems


def check_refused(text: str, *messages: str) -> None:
    """Check that just these problems are found, each where the next mark stands."""
    plain, places = unmark(text)
    problems = problems_of(plain)
    found = [(problem.line, problem.column, str(problem)) for problem in problems]
    assert [place[:2] for place in found] == places, found
    for message, (_, _, shown) in zip(messages, found, strict=True):
        assert message in shown


def check_operator(text: str, *messages: str, version: str = "0.4.0") -> None:
    """Check the problems of one operator, whose properties `text` gives, or of several."""
    body = textwrap.dedent(text).strip("\n")
    if not body.startswith(("- ", f"{MARK}- ")):
        body = "- name: a\n  container: {image: demo/a}\n" + textwrap.indent(body, "  ")
    head = f"api-version: {version}\nname: test\noperators:\n"
    check_refused(head + body + "\n", *messages)
