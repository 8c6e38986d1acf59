# SPDX-License-Identifier: Apache-2.0
"""The values of a document, which know where they stand.

A scalar keeps the text that the file has: ``tag: 20.10`` means 20.10, and not a number.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from clara_fastio.pipeline.problems import quote

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a file; line and column count from one."""

    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A value of a document.

    Attributes
    ----------
    templated
        Whether the arguments of the job may change it.
    """

    position: Position
    templated: bool = field(default=False, kw_only=True)

    @property
    def kind(self) -> str:
        """What this is, for messages."""
        return "a value"


@dataclass(frozen=True, slots=True, eq=False)
class Scalar(Node):
    """A text.

    Attributes
    ----------
    is_plain
        Written without quotes.
    had_placeholder
        The text is what placeholders were replaced by.
    """

    text: str
    is_plain: bool
    had_placeholder: bool = False

    @property
    def is_null(self) -> bool:
        """Whether the file says that there is no value."""
        if not self.is_plain or self.text not in _NULLS:
            return False
        return not self.text or not self.had_placeholder

    @property
    def kind(self) -> str:
        """What this is, for messages."""
        return "nothing" if self.is_null else quote(self.text)


@dataclass(frozen=True, slots=True, eq=False)
class Sequence(Node):
    """A list."""

    items: tuple[Node, ...]

    @property
    def kind(self) -> str:
        """What this is, for messages."""
        return "a list"


@dataclass(frozen=True, slots=True, eq=False)
class Object(Node):
    """Properties with their values, in the order of the file."""

    entries: tuple[tuple[Scalar, Node], ...]

    @property
    def kind(self) -> str:
        """What this is, for messages."""
        return "an object"

    def get(self, name: str) -> Node | None:
        """Give the value of a property, or None."""
        return next((value for key, value in self.entries if key.text == name), None)

    def without(self, *names: str) -> tuple[tuple[Scalar, Node], ...]:
        """Give the entries except those of these names."""
        return tuple(entry for entry in self.entries if entry[0].text not in names)
