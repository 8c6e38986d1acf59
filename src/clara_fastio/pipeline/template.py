# SPDX-License-Identifier: Apache-2.0
"""Parameters, and the placeholders ``${{ name }}`` that they replace."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from clara_fastio.pipeline import names
from clara_fastio.pipeline.document import Node, Object, Scalar, Sequence
from clara_fastio.pipeline.problems import quote

if TYPE_CHECKING:
    from clara_fastio.pipeline.problems import Problems

_PLACEHOLDER = re.compile(r"\$\{\{([^{}]*)\}\}")
_NOT_REPLACED = frozenset({"api-version", "parameters"})
_OPENING = "${{"
_NOT_TEXT = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0[ox][0-9a-fA-F]+"
    r"|true|True|TRUE|false|False|FALSE|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)

#: Characters that replaced placeholders may bring into one definition.
MAXIMUM_GROWTH = 1 << 18


class Value(NamedTuple):
    """What a placeholder stands for, and whether the job's arguments may change it."""

    text: str
    templated: bool


@dataclass(slots=True)
class Growth:
    """How many characters replaced placeholders may still add."""

    left: int = MAXIMUM_GROWTH


@dataclass(slots=True)
class Scope:
    """The parameters of one document with their values."""

    values: dict[str, Value] = field(default_factory=dict)
    spelling: dict[str, str] = field(default_factory=dict)

    def declare(self, name: str, value: Value) -> None:
        """Add a parameter, or give it another value."""
        self.spelling.setdefault(names.key(name), name)
        self.values[names.key(name)] = value

    def __contains__(self, name: str) -> bool:
        return names.key(name) in self.values

    def __getitem__(self, name: str) -> Value:
        return self.values[names.key(name)]

    def texts(self) -> dict[str, str]:
        """Give the values by name, names spelled as declared."""
        return {self.spelling[key]: value.text for key, value in self.values.items()}


def read_parameters(document: Object, problems: Problems, *, templated: bool) -> Scope:
    """Read the `parameters` of a document.

    Parameters
    ----------
    templated
        Whether the job's arguments replace these defaults.
    """
    scope = Scope()
    node = document.get("parameters")
    if node is None or (isinstance(node, Scalar) and node.is_null):
        return scope
    if not isinstance(node, Object):
        problems.error(
            node, "`parameters` is not an object", found=node.kind, expected="names with defaults"
        )
        return scope
    for key, value in node.entries:
        _read_parameter(key, value, scope, problems, templated=templated)
    return scope


def _read_parameter(
    key: Scalar, value: Node, scope: Scope, problems: Problems, *, templated: bool
) -> None:
    if not names.is_name(key.text):
        problems.error(
            key,
            "a parameter's name breaks the rule for names",
            found=key.kind,
            expected=names.NAME_RULE,
        )
        return
    if key.text in scope:
        problems.error(
            key,
            f"the parameter {quote(key.text)} is declared twice",
            hint="names are not case-sensitive",
        )
        return
    text = value.text if isinstance(value, Scalar) else ""
    if not isinstance(value, Scalar) or value.is_null or _is_other_than_text(value):
        problems.error(
            value,
            f"the default of the parameter `{key.text}` is not a string",
            found=value.kind,
            expected="a string",
            hint="write it in quotes" if isinstance(value, Scalar) else "",
        )
    elif _OPENING in text:
        problems.error(
            value,
            f"the default of the parameter `{key.text}` holds a placeholder",
            found=value.kind,
            expected="a text",
        )
    scope.declare(key.text, Value(text, templated))


def _is_other_than_text(value: Scalar) -> bool:
    return value.is_plain and _NOT_TEXT.fullmatch(value.text) is not None


def substitute(root: Object, scope: Scope, growth: Growth, problems: Problems) -> Object:
    """Replace the placeholders in all values of a document but the ones that give it meaning."""
    replacer = _Replacer(scope, growth, problems)
    entries = tuple(
        (key, value if key.text in _NOT_REPLACED else replacer.apply(value))
        for key, value in root.entries
    )
    return replace(root, entries=entries)


def mark_templated(node: Node) -> Node:
    """Give the node with a mark, on all of it, that the job's arguments may change it."""
    if isinstance(node, Sequence):
        return replace(node, items=tuple(map(mark_templated, node.items)), templated=True)
    if isinstance(node, Object):
        entries = tuple((key, mark_templated(value)) for key, value in node.entries)
        return replace(node, entries=entries, templated=True)
    return replace(node, templated=True)


class _Replacer:
    def __init__(self, scope: Scope, growth: Growth, problems: Problems) -> None:
        self.scope = scope
        self.growth = growth
        self.problems = problems
        # Aliased nodes are shared; without this a small text could ask for endless work.
        self.done: dict[int, Node] = {}

    def apply(self, node: Node) -> Node:
        known = self.done.get(id(node))
        if known is None:
            known = self.done[id(node)] = self._replaced(node)
        return known

    def _replaced(self, node: Node) -> Node:
        if isinstance(node, Scalar):
            return self._scalar(node) if _OPENING in node.text else node
        if isinstance(node, Sequence):
            return replace(node, items=tuple(map(self.apply, node.items)))
        if isinstance(node, Object):
            entries = tuple((key, self.apply(value)) for key, value in node.entries)
            return replace(node, entries=entries)
        return node

    def _scalar(self, node: Scalar) -> Scalar:
        parts: list[str] = []
        templated = node.templated
        end = 0
        for match in _PLACEHOLDER.finditer(node.text):
            parts.append(self._literal(node, node.text[end : match.start()]))
            end = match.end()
            value = self._value(node, match[1].strip())
            templated = templated or value.templated
            parts.append(value.text)
        parts.append(self._literal(node, node.text[end:]))
        return replace(node, text="".join(parts), templated=templated, had_placeholder=True)

    def _literal(self, node: Scalar, text: str) -> str:
        if _OPENING in text:
            self.problems.error(
                node,
                "a placeholder is not finished or not well formed",
                found=quote(node.text),
                expected="${{ name }}",
            )
        return text

    def _value(self, node: Scalar, name: str) -> Value:
        if name not in self.scope:
            self.problems.error(
                node,
                f"the placeholder {quote(name)} names no parameter",
                found=quote(node.text),
                hint=self.problems.did_you_mean(name, self.scope.spelling.values())
                or "declare it in the `parameters` of this file",
            )
            # What is wrong with the rest depends on a value that nobody knows.
            return Value("", templated=True)
        value = self.scope[name]
        if len(value.text) > self.growth.left:
            self.problems.error(
                node,
                "the placeholders of this definition are replaced by too much text",
                expected=f"at most {MAXIMUM_GROWTH} characters",
            )
            return Value("", value.templated)
        self.growth.left -= len(value.text)
        return value
