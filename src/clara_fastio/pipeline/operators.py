# SPDX-License-Identifier: Apache-2.0
"""One operator, without what it has to do with others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clara_fastio.pipeline import names, properties
from clara_fastio.pipeline.container import (
    read_container,
    read_driver,
    read_requests,
    read_variables,
)
from clara_fastio.pipeline.document import Node, Object, Scalar
from clara_fastio.pipeline.entries import ReadInput, ReadOutput, read_input, read_output
from clara_fastio.pipeline.imports import expand
from clara_fastio.pipeline.model import Operator
from clara_fastio.pipeline.problems import quote
from clara_fastio.pipeline.reading import ObjectReader
from clara_fastio.pipeline.services import read_models, read_services

if TYPE_CHECKING:
    from clara_fastio.pipeline.reading import Reading


@dataclass(slots=True)
class ReadOperator:
    """An operator as it is written, and where its parts stand.

    Attributes
    ----------
    name
        None when it has none that can be used.
    value
        None when the file that it is imported from cannot be used.
    """

    node: Node
    name: str | None
    value: Operator | None = None
    inputs: list[ReadInput] = field(default_factory=list)
    outputs: list[ReadOutput] = field(default_factory=list)
    after: list[tuple[Node, str]] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Whether the job's arguments may give it another name."""
        return self.node.templated


def read_operator(entry: Object, reading: Reading) -> ReadOperator:
    """Read an entry of `operators`."""
    node = expand(entry, "operator", reading, (reading.files.main,))
    if node is None:
        return _unusable(entry)
    if entry.get("import") is None and entry.get("parameters") is not None:
        reading.problems.warning(
            entry.get("parameters") or entry,
            "`parameters` of an operator that is not in a file of its own have no effect",
        )
    name = node.get("name")
    known = f" `{name.text}`" if isinstance(name, Scalar) and names.is_name(name.text) else ""
    reader = ObjectReader(
        node, f"operator{known}" if known else "an operator", properties.OPERATOR, reading
    )
    inputs = [read_input(item, reader.what, reading) for item in reader.objects("input")]
    outputs = [read_output(item, reader.what, reading) for item in reader.objects("output")]
    _check_outputs(outputs, reader)
    _check_paths([*inputs, *outputs], reader)
    value = _read_value(reader)
    return ReadOperator(
        reader.where("name"), value.name or None, value, inputs, outputs, _read_after(reader)
    )


def _unusable(entry: Object) -> ReadOperator:
    """Keep the name, so that what comes from this operator is not called unknown."""
    name = entry.get("name")
    imported = entry.get("import")
    path = imported.get("path") if isinstance(imported, Object) else None
    text = name.text if isinstance(name, Scalar) and names.is_name(name.text) else None
    return ReadOperator(name or path or entry, text)


def _read_value(reader: ObjectReader) -> Operator:
    name = reader.name(required=True)
    if name is not None and names.key(name) == names.RESERVED:
        reader.problems.error(
            reader.where("name"), f"the name {quote(name)} is reserved", hint="choose another"
        )
    container = read_container(reader)
    return Operator(
        name=name or "",
        description=reader.text("description") or "",
        image=container.image,
        command=container.command,
        variables=read_variables(reader, container),
        requests=read_requests(reader),
        services=read_services(reader),
        models=read_models(reader),
        driver=read_driver(reader, container),
        timeout=reader.seconds("timeout"),
    )


def _read_after(reader: ObjectReader) -> list[tuple[Node, str]]:
    found: list[tuple[Node, str]] = []
    for item in reader.items("after", hint="write it as [operator]"):
        if isinstance(item, Scalar) and names.is_name(item.text):
            found.append((item, item.text))
        else:
            reader.wrong(item, "after", "a list of names of operators")
    return found


def _check_outputs(outputs: list[ReadOutput], owner: ObjectReader) -> None:
    version = owner.reading.version
    is_typed = version is not None and version.is_typed
    seen: dict[str, Node] = {}
    for output in outputs:
        name = output.value.name
        where = output.reader.where("name")
        if name is None:
            # At 0.5.0 and above each output needs its name anyway.
            if len(outputs) > 1 and not is_typed and output.reader.get("name") is None:
                output.reader.missing("name", hint="only a single output may go without")
            continue
        first = seen.setdefault(names.key(name), where)
        if first is not where:
            owner.problems.error(
                where,
                f"two outputs of {owner.what} have the same name",
                found=quote(name),
                hint=f"the other one is on line {first.position.line}; "
                "names are not case-sensitive",
                depends=(first,),
            )


def _check_paths(entries: list[ReadInput | ReadOutput], owner: ObjectReader) -> None:
    seen: dict[str, Node] = {}
    for entry in entries:
        path = entry.value.path
        if path is None:
            continue
        where = entry.reader.where("path")
        first = seen.setdefault(path, where)
        if first is not where:
            owner.problems.error(
                where,
                f"two entries of {owner.what} have the same path",
                found=quote(path),
                hint=f"the other one is on line {first.position.line}",
                depends=(first,),
            )
