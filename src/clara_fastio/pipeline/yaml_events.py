# SPDX-License-Identifier: Apache-2.0
"""The events of a YAML text: the only file that imports the YAML library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

try:
    from ruamel.yaml import YAML
    from ruamel.yaml import events as ruamel
    from ruamel.yaml.error import MarkedYAMLError
    from ruamel.yaml.reader import ReaderError
except ImportError as error:
    message = (
        "reading pipeline definitions needs the package ruamel.yaml; "
        "install it with: pip install 'clara-fastio[pipeline]'"
    )
    raise ImportError(message, name="ruamel.yaml") from error

if TYPE_CHECKING:
    from collections.abc import Iterator

MAXIMUM_LINE = 1 << 16

# The library falls over some malformed texts, as "\\UFFFFFFFF" and %YAML 1.3, instead of refusing
# them; the first three were seen, the others would be faults of the same kind.
_STUMBLES = (AssertionError, OverflowError, ValueError, AttributeError, LookupError, TypeError)

_KINDS = {
    ruamel.ScalarEvent: "scalar",
    ruamel.SequenceStartEvent: "list",
    ruamel.MappingStartEvent: "object",
    ruamel.SequenceEndEvent: "end",
    ruamel.MappingEndEvent: "end",
    ruamel.AliasEvent: "alias",
    ruamel.DocumentStartEvent: "document",
}


@dataclass(frozen=True, slots=True)
class Event:
    """One step of the parser.

    Attributes
    ----------
    kind
        ``scalar``, ``list``, ``object``, ``end``, ``alias`` or ``document``.
    """

    kind: str
    line: int
    column: int
    text: str = ""
    is_plain: bool = False
    anchor: str | None = None
    tag: str | None = None


class NotYamlError(Exception):
    """The text is not YAML."""

    def __init__(self, message: str, line: int, column: int, hint: str = "") -> None:
        super().__init__(message)
        self.line = line
        self.column = column
        self.hint = hint


def parse(text: str) -> Iterator[Event]:
    """Give the events of `text` one by one.

    Raises
    ------
    NotYamlError
        The text is not YAML.
    """
    _check_lines(text)
    line, column = 1, 1
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            kind = _KINDS.get(type(event))
            if kind is not None:
                line, column = event.start_mark.line + 1, event.start_mark.column + 1
                yield _translate(kind, line, column, event)
    except ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        code = f"U+{error.character:04X}"
        raise NotYamlError(f"this is not YAML: the character {code}", line, column) from error
    except MarkedYAMLError as error:
        raise _marked(error, text, line, column) from error
    except _STUMBLES as error:
        raise NotYamlError("this is not YAML, here or below", line, column) from error


def _check_lines(text: str) -> None:
    """Refuse endless lines: the library's time for one tag grows with the square of its length."""
    for number, content in enumerate(text.split("\n"), start=1):
        if len(content) > MAXIMUM_LINE:
            message = f"this line has more than {MAXIMUM_LINE} characters"
            raise NotYamlError(message, number, MAXIMUM_LINE + 1)


def _translate(kind: str, line: int, column: int, event: Any) -> Event:
    if kind in {"end", "document"}:
        return Event(kind, line, column)
    if kind == "alias":
        return Event(kind, line, column, anchor=event.anchor)
    tag = None if event.tag is None else str(event.tag)
    if kind == "scalar":
        is_plain = event.style in {None, ""}
        return Event(kind, line, column, event.value, is_plain, event.anchor, tag)
    return Event(kind, line, column, anchor=event.anchor, tag=tag)


def _marked(error: MarkedYAMLError, text: str, line: int, column: int) -> NotYamlError:
    mark = error.problem_mark or error.context_mark
    if mark is not None:
        line, column = mark.line + 1, mark.column + 1
    problem = error.problem or error.context or "the text is malformed"
    reason = f"{error.context}: {problem}" if error.context and error.problem else problem
    lines = text.splitlines()
    hint = ""
    if "\\t" in reason:
        hint = "indent with spaces, not with tabs"
    elif line <= len(lines) and "${{" in lines[line - 1]:
        hint = "put placeholders between [] or {} into quotes"
    return NotYamlError(f"this is not YAML: {' '.join(reason.split())}", line, column, hint)
