# SPDX-License-Identifier: Apache-2.0
"""Operators with each other: where inputs come from, and whether types match."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from clara_fastio.pipeline import names
from clara_fastio.pipeline.document import Node, Scalar
from clara_fastio.pipeline.edges import Streams
from clara_fastio.pipeline.model import DYNAMIC, STREAM, DataType, Input
from clara_fastio.pipeline.problems import quote
from clara_fastio.pipeline.types import describe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clara_fastio.pipeline.entries import ReadInput, ReadOutput
    from clara_fastio.pipeline.model import Operator
    from clara_fastio.pipeline.operators import ReadOperator
    from clara_fastio.pipeline.problems import Problems


def mismatch(produced: DataType, consumed: DataType) -> str:
    """Say why an input cannot take what an output gives; empty when it can.

    A dimension that is dynamic on the input takes any size; one that is dynamic on the output
    could have another size than a fixed one of the input, which is refused.
    """
    if (produced.type == STREAM) != (consumed.type == STREAM):
        return "one lies on disk and the other in shared memory"
    if produced.element_type != consumed.element_type:
        return "the element types differ"
    if len(produced.shape) != len(consumed.shape):
        return "the numbers of dimensions differ"
    for index, (given, taken) in enumerate(zip(produced.shape, consumed.shape, strict=True)):
        if taken not in {DYNAMIC, given}:
            reason = "is dynamic on the output only" if given == DYNAMIC else "differs"
            return f"dimension {index} {reason}"
    return ""


@dataclass(frozen=True, slots=True)
class _Offered:
    """The outputs of one operator, as inputs look for them.

    Attributes
    ----------
    open
        Where names stand that the job's arguments may change.
    """

    by_name: dict[str, ReadOutput]
    names: tuple[str, ...]
    shown: str
    open: tuple[Node, ...]


def _offered(operator: ReadOperator) -> _Offered:
    # Of two that have the same name, which was reported, the first one counts.
    named = [(output.value.name, output) for output in reversed(operator.outputs)]
    by_name = {names.key(name): output for name, output in named if name is not None}
    known = tuple(name for name, _ in reversed(named) if name is not None)
    shown = quote(", ".join(known)) if known else "its only output, without a name"
    places = (output.reader.where("name") for output in operator.outputs)
    return _Offered(by_name, known, shown, tuple(node for node in places if node.templated))


class Matcher:
    """Finds the sources of all inputs of one pipeline."""

    def __init__(self, operators: list[ReadOperator], problems: Problems) -> None:
        self.operators = operators
        self.problems = problems
        self.index: dict[str, int] = {}
        self.offered: dict[int, _Offered] = {}
        for number, operator in enumerate(operators):
            self._register(number, operator)
        self.streams = Streams(problems)
        self.has_nameless = any(operator.name is None for operator in operators)
        # An operator whose name may yet change could be any that is not found now.
        self.open: list[Node] = [operator.node for operator in operators if operator.is_open]

    def _register(self, number: int, operator: ReadOperator) -> None:
        if operator.name is None:
            return
        first = self.index.setdefault(names.key(operator.name), number)
        if first != number:
            other = self.operators[first].node
            self.problems.error(
                operator.node,
                "two operators have the same name",
                found=quote(operator.name),
                hint=f"the other one is on line {other.position.line} of {other.position.file}; "
                "names are not case-sensitive",
                depends=(other,),
            )

    def match(self) -> list[Operator]:
        """Give the operators with their sources; problems are collected."""
        matched = [
            self._matched(number, operator, operator.value)
            for number, operator in enumerate(self.operators)
            if operator.value is not None
        ]
        self.streams.check()
        self.streams.check_waits(matched)
        return matched

    def edges(self, number: int) -> Iterator[tuple[int, Node]]:
        """Give the operators that one operator waits for, each with the place that says so."""
        operator = self.operators[number]
        for entry in operator.inputs:
            if entry.value.source is not None:
                found = self.index.get(names.key(entry.value.source))
                if found is not None:
                    yield found, entry.reader.where("from")
        for node, name in operator.after:
            found = self.index.get(names.key(name))
            if found is not None:
                yield found, node

    def _matched(self, number: int, operator: ReadOperator, value: Operator) -> Operator:
        inputs = tuple(self._input(number, entry) for entry in operator.inputs)
        after = tuple(self._after(number, node, name) for node, name in operator.after)
        sources = {entry.source for entry in inputs if entry.source is not None}
        complete = {entry.source for entry in inputs if entry.source and entry.edge is None}
        return replace(
            value,
            inputs=inputs,
            outputs=tuple(entry.value for entry in operator.outputs),
            after=tuple(dict.fromkeys(after)),
            upstream=frozenset(sources | set(after)),
            awaited=frozenset(complete | set(after)),
        )

    def _find(self, number: int, node: Node, property_name: str, name: str) -> ReadOperator | None:
        found = self.index.get(names.key(name))
        me = self.operators[number]
        if found is None and self.has_nameless:
            return None  # It may be one whose name is wrong, which was said already.
        if found is None:
            known = [other.name for other in self.operators if other.name and other is not me]
            self.problems.error(
                node,
                f"`{property_name}` names no operator of this pipeline",
                found=quote(name),
                expected=quote(", ".join(known)) if known else "",
                hint=self.problems.did_you_mean(name, known),
                depends=self.open,
            )
            return None
        if found == number:
            self.problems.error(
                node,
                f"`{property_name}` names the operator itself",
                found=quote(name),
                depends=(me.node,),
            )
            return None
        return self.operators[found]

    def _after(self, number: int, node: Node, name: str) -> str:
        found = self._find(number, node, "after", name)
        return (found.name if found else None) or name

    def _input(self, number: int, entry: ReadInput) -> Input:
        value = entry.value
        if value.source is None:
            return value
        upstream = self._find(number, entry.reader.where("from"), "from", value.source)
        if upstream is None or upstream.value is None:
            return value
        output = self._output(entry, upstream)
        if output is None:
            return replace(value, source=upstream.name)
        self._check_types(entry, output)
        self._check_memory(entry, output)
        return replace(
            value,
            source=upstream.name,
            output=output.value.name if value.name is not None else None,
            placement=output.value.placement,
            edge=self.streams.connect(self.operators[number].name or "", entry, output),
        )

    def _output(self, entry: ReadInput, upstream: ReadOperator) -> ReadOutput | None:
        """Find the output that an input names; None, with the reason, when there is none."""
        wanted = entry.value.name
        if wanted is not None:
            found = self._offered_by(upstream).by_name.get(names.key(wanted))
            if found is None:
                self._say_no_output(entry, upstream)
            return found
        reader = entry.reader
        if _is_written(reader.get("name")):
            return None  # It breaks the rule for names, which was said already.
        version = reader.reading.version
        is_typed = version is not None and version.is_typed
        if len(upstream.outputs) == 1 and not is_typed:
            return upstream.outputs[0]
        self._say_no_output(entry, upstream)
        return None

    def _offered_by(self, operator: ReadOperator) -> _Offered:
        if id(operator) not in self.offered:
            self.offered[id(operator)] = _offered(operator)
        return self.offered[id(operator)]

    def _say_no_output(self, entry: ReadInput, upstream: ReadOperator) -> None:
        reader, wanted = entry.reader, entry.value.name
        offered = self._offered_by(upstream)
        depends = (reader.where("from"), upstream.node, *offered.open)
        if not upstream.outputs:
            self.problems.error(
                reader.where("from"),
                f"the operator `{upstream.name}` has no output",
                depends=depends,
            )
        elif wanted is None:
            reader.missing(
                "name", hint=f"`{upstream.name}` offers {offered.shown}", depends=depends
            )
        else:
            self.problems.error(
                reader.where("name"),
                f"`name` names no output of the operator `{upstream.name}`",
                found=quote(wanted),
                expected=offered.shown,
                hint=self.problems.did_you_mean(wanted, offered.names),
                depends=depends,
            )

    def _check_types(self, entry: ReadInput, output: ReadOutput) -> None:
        produced, consumed = output.value.data_type, entry.value.data_type
        if produced is None or consumed is None:
            return
        reason = mismatch(produced, consumed)
        if not reason:
            return
        depends = [
            reader.where(name)
            for reader in (entry.reader, output.reader)
            for name in ("from", "name", "type", "element-type", "shape")
        ]
        place = output.reader.where("type").position
        self.problems.error(
            entry.reader.where("type"),
            f"the type of {entry.reader.what} does not match the output that it names: {reason}",
            found=describe(consumed),
            expected=f"{describe(produced)} as in {place.file}:{place.line}",
            depends=depends,
        )

    def _check_memory(self, entry: ReadInput, output: ReadOutput) -> None:
        expected = output.memory
        if entry.memory is None or expected is None or entry.memory == expected:
            return
        place = output.reader.where("memory").position
        self.problems.error(
            entry.reader.where("memory"),
            f"the memory of {entry.reader.what} is not that of the output that it names",
            found=entry.memory,
            expected=f"{expected} as in {place.file}:{place.line}",
            depends=[
                reader.where(name)
                for reader in (entry.reader, output.reader)
                for name in ("from", "name", "memory")
            ],
        )


def _is_written(node: Node | None) -> bool:
    return node is not None and not (isinstance(node, Scalar) and not node.text)
