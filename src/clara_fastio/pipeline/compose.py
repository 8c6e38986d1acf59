# SPDX-License-Identifier: Apache-2.0
"""From a YAML text to nodes.

Nothing is constructed, so no tag runs anything. What the language does not need is refused:
several documents in a file, keys that are not scalars or appear twice, tags, merge keys, and
texts that are too large, too deep, or grow too large through aliases.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clara_fastio.pipeline import yaml_events
from clara_fastio.pipeline.document import Node, Object, Position, Scalar, Sequence
from clara_fastio.pipeline.problems import quote

if TYPE_CHECKING:
    from clara_fastio.pipeline.problems import Problems

MAXIMUM_DEPTH = 32
MAXIMUM_NODES = 50_000

_HARMLESS_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq")
)


def compose(text: str, file: str, problems: Problems) -> Node | None:
    """Read a text; None, with the reason in `problems`, when it cannot be used at all."""
    return _Composer(file, problems).compose(text)


def compose_value(scalar: Scalar, problems: Problems) -> Node | None:
    """Read the text of a scalar as YAML; everything in it stands where the scalar stands."""
    composer = _Composer(scalar.position.file, problems)
    composer.fixed = scalar.position
    composer.templated = scalar.templated
    return composer.compose(scalar.text)


class _UnusableError(Exception):
    """The text cannot be read on."""


@dataclass(slots=True)
class _Open:
    """A list or object whose end was not reached yet."""

    position: Position
    anchor: str | None
    is_object: bool
    items: list[Any] = field(default_factory=list)
    key: Scalar | None = None
    wants_value: bool = False
    keys: set[str] = field(default_factory=set)
    count: int = 1
    depth: int = 0


@dataclass(slots=True)
class _Measured:
    """A finished node, with its size when its aliases are written out."""

    node: Node
    count: int = 1
    depth: int = 0


class _Composer:
    def __init__(self, file: str, problems: Problems) -> None:
        self.file = file
        self.problems = problems
        self.fixed: Position | None = None
        self.templated = False
        self.stack: list[_Open] = []
        self.anchors: dict[str, _Measured | None] = {}
        self.root: Node | None = None
        self.documents = 0

    def compose(self, text: str) -> Node | None:
        try:
            for event in yaml_events.parse(text):
                self._take(event)
        except yaml_events.NotYamlError as problem:
            position = self._at(problem.line, problem.column)
            self._error(position, str(problem), hint=problem.hint)
            return None
        except _UnusableError:
            return None
        if self.root is None:
            self._error(self._at(1, 1), "there is nothing in the file")
        return self.root

    def _at(self, line: int, column: int) -> Position:
        return self.fixed or Position(self.file, line, column)

    def _error(
        self,
        position: Position,
        message: str,
        *,
        found: str = "",
        expected: str = "",
        hint: str = "",
    ) -> None:
        node = Node(position, templated=self.templated)
        self.problems.error(node, message, found=found, expected=expected, hint=hint)

    def _refuse(
        self, position: Position, message: str, *, found: str = "", expected: str = ""
    ) -> _UnusableError:
        self._error(position, message, found=found, expected=expected)
        return _UnusableError()

    def _take(self, event: yaml_events.Event) -> None:
        position = self._at(event.line, event.column)
        if event.kind == "document":
            self.documents += 1
            if self.documents > 1:
                raise self._refuse(position, "a second YAML document begins here", expected="one")
        elif event.kind == "end":
            self._close()
        elif event.kind == "alias":
            self._add(self._aliased(event, position))
        else:
            self._check_tag(event, position)
            if event.anchor is not None:
                self.anchors[event.anchor] = None
            if event.kind == "scalar":
                node = Scalar(position, event.text, event.is_plain, templated=self.templated)
                self._check_text(node)
                self._finish(_Measured(node), event.anchor)
            else:
                self._open(event, position)

    def _open(self, event: yaml_events.Event, position: Position) -> None:
        if len(self.stack) >= MAXIMUM_DEPTH:
            raise self._refuse(
                position, "this is nested too deeply", expected=f"at most {MAXIMUM_DEPTH} levels"
            )
        self.stack.append(_Open(position, event.anchor, is_object=event.kind == "object"))

    def _close(self) -> None:
        done = self.stack.pop()
        node: Node
        if done.is_object:
            node = Object(done.position, tuple(done.items), templated=self.templated)
        else:
            node = Sequence(done.position, tuple(done.items), templated=self.templated)
        self._finish(_Measured(node, done.count, done.depth), done.anchor)

    def _finish(self, measured: _Measured, anchor: str | None) -> None:
        if anchor is not None:
            self.anchors[anchor] = measured
        self._add(measured)

    def _aliased(self, event: yaml_events.Event, position: Position) -> _Measured:
        name = event.anchor or ""
        found = self.anchors.get(name)
        if found is None:
            inside = name in self.anchors
            problem = "an alias inside of what it stands for" if inside else "an unknown alias"
            raise self._refuse(position, problem, found=f"*{name[:64]}")
        return found

    def _add(self, measured: _Measured) -> None:
        if not self.stack:
            self.root = measured.node
            return
        parent = self.stack[-1]
        parent.count += measured.count
        parent.depth = max(parent.depth, measured.depth + 1)
        if parent.count > MAXIMUM_NODES:
            raise self._refuse(
                measured.node.position,
                "this is too large, counting what aliases stand for",
                expected=f"at most {MAXIMUM_NODES} values",
            )
        if len(self.stack) + measured.depth > MAXIMUM_DEPTH:
            raise self._refuse(
                measured.node.position,
                "this is nested too deeply, counting what aliases stand for",
                expected=f"at most {MAXIMUM_DEPTH} levels",
            )
        if not parent.is_object:
            parent.items.append(measured.node)
        elif parent.wants_value:
            parent.wants_value = False
            if parent.key is not None:
                parent.items.append((parent.key, measured.node))
        else:
            parent.wants_value = True
            parent.key = self._checked_key(parent, measured.node)

    def _checked_key(self, parent: _Open, node: Node) -> Scalar | None:
        if not isinstance(node, Scalar):
            self._error(node.position, "a key must be a text", found=node.kind)
            return None
        if node.text == "<<" and node.is_plain:
            self._error(
                node.position, "merge keys are not part of the language", hint="write it out"
            )
            return None
        if node.text in parent.keys:
            self._error(node.position, f"{quote(node.text)} appears twice in one object")
            return None
        parent.keys.add(node.text)
        return node

    def _check_tag(self, event: yaml_events.Event, position: Position) -> None:
        if event.tag is not None and event.tag not in _HARMLESS_TAGS:
            self._error(
                position,
                "tags are not part of the language",
                found=quote(event.tag),
                hint="remove the tag",
            )

    def _check_text(self, node: Scalar) -> None:
        if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in node.text):
            self._error(
                node.position,
                "a text holds a character that no program can be given",
                found=quote(node.text),
            )
