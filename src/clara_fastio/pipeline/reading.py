# SPDX-License-Identifier: Apache-2.0
"""Properties of an object, read as the types they have."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clara_fastio.pipeline import names
from clara_fastio.pipeline.compose import compose_value
from clara_fastio.pipeline.document import Node, Object, Scalar, Sequence
from clara_fastio.pipeline.problems import quote
from clara_fastio.pipeline.template import Growth

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clara_fastio.pipeline.files import Files
    from clara_fastio.pipeline.problems import Problems
    from clara_fastio.pipeline.properties import Properties, Since
    from clara_fastio.pipeline.versions import ApiVersion

_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{0,9})?")
_BOOLEANS = {"true": True, "True": True, "TRUE": True}
_BOOLEANS |= {"false": False, "False": False, "FALSE": False}

MAXIMUM_INTEGER = 10**18

#: What could stand where a property is missing.
_EXPECTED = {
    "name": names.NAME_RULE,
    "operators": "a list of operators",
    "container": "an object with an image",
    "image": "the name of an image, such as demo/segment",
    "path": "a path that begins with /",
    "type": "stream, array, string or a primitive such as float32",
    "element-type": "a primitive such as float32, or any label for a stream",
    "shape": "a list of sizes such as [-1, 64]",
    "max-shape": "the sizes of the largest frame, such as [2048, 2048]",
}


@dataclass(slots=True)
class Reading:
    """What all readers of one definition share.

    Attributes
    ----------
    version
        None when the definition does not say it, or says it wrongly.
    growth, nodes_left
        What placeholders and imports may still add before the definition is too large.
    documents
        The files that were composed, so that one imported often is composed once.
    """

    files: Files
    problems: Problems
    version: ApiVersion | None = None
    growth: Growth = field(default_factory=Growth)
    documents: dict[str, Object | None] = field(default_factory=dict)
    nodes_left: int = 200_000


class ObjectReader:
    """Reads the properties of one object.

    Parameters
    ----------
    what
        How messages call the object, as in ``the container``.
    known
        The properties it may have; others are warned of.
    """

    def __init__(self, node: Object, what: str, known: Properties, reading: Reading) -> None:
        self.node = node
        self.what = what
        self.reading = reading
        self.problems = reading.problems
        for key, value in node.entries:
            if key.text in known:
                self._check_since(key, value, known[key.text])
            else:
                self.problems.warning(
                    key,
                    f"{what} has an unknown property {quote(key.text)}, which is ignored",
                    hint=self.problems.did_you_mean(key.text, known),
                )

    def _check_since(self, key: Scalar, value: Node, since: Since) -> None:
        version = self.reading.version
        if isinstance(value, Scalar) and value.is_null:
            return
        if since.value is None:
            self.problems.error(
                key, f"`{key.text}` is reserved for a later version of the language"
            )
        elif version is not None and version < since.value:
            self.problems.error(
                key,
                f"`{key.text}` is not a property of this version",
                found=f"api-version {version}",
                expected=f"api-version {since.value} or above",
            )

    def where(self, name: str) -> Node:
        """Give the node that a problem with a property is shown at."""
        return self.node.get(name) or self.node

    def get(self, name: str) -> Node | None:
        """Give the value of a property, None when it is not there or null."""
        node = self.node.get(name)
        return None if isinstance(node, Scalar) and node.is_null else node

    def missing(self, name: str, *, hint: str = "", depends: Iterable[Node] = ()) -> None:
        """Say that a property must be there."""
        message = f"{self.what} has no `{name}`"
        expected = _EXPECTED.get(name, "")
        self.problems.error(
            self.where(name), message, expected=expected, hint=hint, depends=depends
        )

    def wrong(self, node: Node, name: str, expected: str, *, hint: str = "") -> None:
        """Say that a property has a value that it cannot have."""
        self.problems.error(
            node,
            f"`{name}` of {self.what} is not {expected}",
            found=node.kind,
            expected=expected,
            hint=hint,
        )

    def text(self, name: str, *, required: bool = False) -> str | None:
        """Read a text; an empty one counts as absent."""
        node = self.get(name)
        if node is not None and not isinstance(node, Scalar):
            self.wrong(node, name, "a text")
            return None
        if node is None or not node.text:
            if required:
                self.missing(name)
            return None
        return node.text

    def name(self, name: str = "name", *, required: bool = False) -> str | None:
        """Read a name; None when there is none that follows the rule."""
        text = self.text(name, required=required)
        if text is None or names.is_name(text):
            return text
        self.problems.error(
            self.where(name),
            f"`{name}` of {self.what} breaks the rule for names",
            found=quote(text),
            expected=names.NAME_RULE,
        )
        return None

    def integer(self, name: str, minimum: int = 0, maximum: int = MAXIMUM_INTEGER) -> int | None:
        """Read a whole number."""
        node = self.get(name)
        if node is None:
            return None
        value = parse_integer(node)
        if value is None or not minimum <= value <= maximum:
            bound = f"of at least {minimum}"
            if maximum != MAXIMUM_INTEGER:
                bound = f"from {minimum} to {maximum}"
            self.wrong(node, name, f"a whole number {bound}")
            return None
        return value

    def seconds(self, name: str) -> float | None:
        """Read a time that is longer than none."""
        node = self.get(name)
        if node is None:
            return None
        if isinstance(node, Scalar) and _NUMBER.fullmatch(node.text) and float(node.text) > 0:
            return float(node.text)
        self.wrong(node, name, "a number of seconds above 0")
        return None

    def boolean(self, name: str) -> bool | None:
        """Read true or false."""
        node = self.get(name)
        if node is None:
            return None
        if isinstance(node, Scalar) and node.text in _BOOLEANS:
            return _BOOLEANS[node.text]
        self.wrong(node, name, "true or false")
        return None

    def items(self, name: str, *, hint: str = "") -> tuple[Node, ...]:
        """Read a list; empty when there is none."""
        node = self._structured(name)
        if node is None:
            return ()
        if isinstance(node, Sequence):
            return node.items
        self.wrong(node, name, "a list", hint=hint)
        return ()

    def texts(self, name: str, *, hint: str = "") -> tuple[str, ...]:
        """Read a list of texts."""
        texts = []
        for item in self.items(name, hint=hint):
            if isinstance(item, Scalar) and not item.is_null:
                texts.append(item.text)
            else:
                self.problems.error(
                    item,
                    f"`{name}` of {self.what} holds something that is not a text",
                    found=item.kind,
                    expected="a text",
                )
        return tuple(texts)

    def objects(self, name: str) -> list[Object]:
        """Read a list of objects."""
        objects = []
        for item in self.items(name):
            if isinstance(item, Object):
                objects.append(item)
            else:
                self.problems.error(
                    item,
                    f"`{name}` of {self.what} holds something that is not an object",
                    found=item.kind,
                    expected="an object",
                )
        return objects

    def object(self, name: str) -> Object | None:
        """Read an object."""
        node = self._structured(name)
        if node is None or isinstance(node, Object):
            return node
        self.wrong(node, name, "an object")
        return None

    def variables(self) -> dict[str, str]:
        """Read the environment variables; values keep the text of the file."""
        node = self.object("variables")
        variables: dict[str, str] = {}
        for key, value in node.entries if node else ():
            if not names.is_environment_name(key.text):
                self.problems.error(
                    key,
                    "the name of a variable breaks the rule for environment variables",
                    found=key.kind,
                    expected=names.ENVIRONMENT_NAME_RULE,
                )
            elif not isinstance(value, Scalar):
                self.problems.error(
                    value,
                    f"the variable `{key.text}` is not a text",
                    found=value.kind,
                    expected="a text",
                )
            else:
                variables[key.text] = "" if value.is_null else value.text
        return variables

    def _structured(self, name: str) -> Node | None:
        """Give a list or object; one that a placeholder holds is written as YAML."""
        node = self.get(name)
        if isinstance(node, Scalar) and node.had_placeholder and node.text.strip():
            composed = compose_value(node, self.problems)
            return node if composed is None or isinstance(composed, Scalar) else composed
        if isinstance(node, Scalar) and node.had_placeholder:
            return None
        return node


def parse_integer(node: Node) -> int | None:
    """Give the whole number that a scalar holds, or None."""
    if isinstance(node, Scalar) and _INTEGER.fullmatch(node.text):
        return int(node.text)
    return None
