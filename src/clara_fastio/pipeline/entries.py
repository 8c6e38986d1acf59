# SPDX-License-Identifier: Apache-2.0
"""Inputs and outputs of an operator, each for itself."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clara_fastio.pipeline import properties, types
from clara_fastio.pipeline.document import Node, Scalar
from clara_fastio.pipeline.model import (
    ARRAY,
    DYNAMIC,
    STREAM,
    STRING,
    DataType,
    Input,
    Output,
    Placement,
)
from clara_fastio.pipeline.placement import read_placement, read_stated_memory
from clara_fastio.pipeline.problems import quote
from clara_fastio.pipeline.queues import Wish, read_queue, read_wish
from clara_fastio.pipeline.reading import ObjectReader, parse_integer

if TYPE_CHECKING:
    from clara_fastio.pipeline.document import Object
    from clara_fastio.pipeline.reading import Reading

# The paths of an operator are handed to it as a list with this character between them.
_NOT_IN_PATHS = re.compile(r"[;\x00-\x1f\x7f]")


@dataclass(slots=True)
class ReadInput:
    """An input, and where it stands.

    Attributes
    ----------
    memory
        The memory that it expects; None when it does not say.
    """

    reader: ObjectReader
    value: Input
    wish: Wish
    memory: str | None = None


@dataclass(slots=True)
class ReadOutput:
    """An output, and where it stands.

    Attributes
    ----------
    memory
        Where it lies; None when that is on disk, or said wrongly.
    """

    reader: ObjectReader
    value: Output
    memory: str | None = None


def read_input(node: Object, owner: str, reading: Reading) -> ReadInput:
    """Read an input as it is written; whether its source exists is not looked at."""
    reader = ObjectReader(node, f"an input of {owner}", properties.INPUT, reading)
    source = reader.name("from")
    name = reader.name()
    type_name = _read_type_name(reader)
    if type_name not in {None, STREAM} and _is_payload(reader):
        reader.problems.error(
            reader.where("type"),
            f"an input of {owner} without `from` is the payload of the job, which lies on disk",
            found=type_name or "",
            expected=STREAM,
            depends=(reader.where("from"),),
        )
    data_type = _read_type(reader, type_name)
    value = Input(name, _read_path(reader, type_name), data_type, source=source)
    return ReadInput(reader, value, _read_wish(reader), read_stated_memory(reader, type_name))


def read_output(node: Object, owner: str, reading: Reading) -> ReadOutput:
    """Read an output."""
    reader = ObjectReader(node, f"an output of {owner}", properties.OUTPUT, reading)
    is_typed = reading.version is not None and reading.version.is_typed
    name = reader.name(required=is_typed)
    type_name = _read_type_name(reader)
    data_type = _read_type(reader, type_name)
    path = _read_path(reader, type_name)
    placement = read_placement(reader, type_name)
    queue = read_queue(reader, type_name, data_type)
    value = Output(name, path, data_type, placement or Placement(), queue=queue)
    return ReadOutput(reader, value, placement.memory if placement else None)


def _read_wish(reader: ObjectReader) -> Wish:
    wish = read_wish(reader)
    for name in wish.named if _is_payload(reader) else ():
        reader.problems.error(
            reader.where(name),
            f"{reader.what} has `{name}`, but the payload of the job has no queue",
            hint=f"remove `{name}`",
            depends=(reader.where("from"),),
        )
    return wish


def _is_payload(reader: ObjectReader) -> bool:
    node = reader.get("from")
    return node is None or (isinstance(node, Scalar) and not node.text)


def _read_type_name(reader: ObjectReader) -> str | None:
    """Read `type`; None when there is none, or none that is known."""
    version = reader.reading.version
    if version is None or not version.is_typed:
        return None
    name = reader.text("type", required=True)
    if name is None or name in types.TYPE_NAMES:
        return types.canonical_primitive(name or "") or name
    reader.problems.error(
        reader.where("type"),
        f"the type of {reader.what} is unknown",
        found=quote(name),
        expected="stream, array, string or a primitive such as float32",
        hint=reader.problems.did_you_mean(name, types.TYPE_NAMES),
    )
    return None


def _read_type(reader: ObjectReader, type_name: str | None) -> DataType | None:
    if type_name is None:
        return None
    element_type = _read_element_type(reader, type_name)
    shape = _read_shape(reader, type_name, element_type)
    if type_name not in {STREAM, ARRAY}:
        return types.string() if type_name == STRING else types.primitive(type_name)
    if element_type is None or shape is None:
        return None
    return DataType(type_name, element_type, shape)


def _is_present(reader: ObjectReader, name: str, type_name: str, *, wanted: bool) -> bool:
    """Whether a property is there; that it is there just when `wanted` is checked."""
    present = reader.get(name) is not None
    depends = (reader.where("type"),)
    if wanted and not present:
        hint = f"the type `{type_name}` needs it"
        reader.missing(name, hint=hint, depends=depends)
    elif present and not wanted:
        reader.problems.error(
            reader.where(name),
            f"{reader.what} has `{name}`, which the type `{type_name}` does not have",
            hint=f"remove `{name}`",
            depends=depends,
        )
    return present and wanted


def _read_element_type(reader: ObjectReader, type_name: str) -> str | None:
    wanted = type_name in {STREAM, ARRAY}
    if not _is_present(reader, "element-type", type_name, wanted=wanted):
        return None
    text = reader.text("element-type", required=True)
    if text is None or type_name == STREAM:
        return text
    canonical = types.canonical_primitive(text)
    if canonical is None:
        reader.problems.error(
            reader.where("element-type"),
            f"the element type of {reader.what} is unknown",
            found=quote(text),
            expected="a primitive such as float32",
            hint=reader.problems.did_you_mean(text, types.PRIMITIVE_NAMES),
            depends=(reader.where("type"),),
        )
    return canonical


def _read_shape(
    reader: ObjectReader, type_name: str, element_type: str | None
) -> tuple[int, ...] | None:
    if not _is_present(reader, "shape", type_name, wanted=type_name == ARRAY):
        return () if type_name == STREAM else None
    node = reader.where("shape")
    before = reader.items("shape", hint="write it as [-1, 64]")
    shape = tuple(_read_dimension(reader, item) for item in before)
    if not before and reader.get("shape") is not None and not _is_scalar(node):
        reader.wrong(node, "shape", f"a list of 1 to {types.MAXIMUM_RANK} dimensions")
    if len(shape) > types.MAXIMUM_RANK:
        reader.problems.error(
            node,
            f"the shape of {reader.what} has too many dimensions",
            found=str(len(shape)),
            expected=f"at most {types.MAXIMUM_RANK}",
        )
    sizes = tuple(size for size in shape if size is not None)
    if not shape or len(sizes) < len(shape) or len(shape) > types.MAXIMUM_RANK:
        return None
    if element_type and types.fixed_bytes(element_type, sizes) > types.MAXIMUM_BYTES:
        reader.problems.error(node, f"an array of the shape of {reader.what} fits into no memory")
        return None
    return sizes


def _is_scalar(node: Node) -> bool:
    return isinstance(node, Scalar) and not node.had_placeholder


def _read_dimension(reader: ObjectReader, item: Node) -> int | None:
    size = parse_integer(item)
    if size is None or size < DYNAMIC:
        reader.problems.error(
            item,
            f"the shape of {reader.what} holds something that is not a dimension",
            found=item.kind,
            expected="a size, or -1 for one that is known at run time",
        )
        return None
    return size or DYNAMIC


def _read_path(reader: ObjectReader, type_name: str | None) -> str | None:
    version = reader.reading.version
    if version is None:
        return reader.text("path")
    if version.is_typed:
        wanted = type_name == STREAM
        if type_name is None or not _is_present(reader, "path", type_name, wanted=wanted):
            return None
    path = reader.text("path", required=True)
    if path is None:
        return None
    node = reader.where("path")
    normal = "/" + posixpath.normpath(path).lstrip("/")
    if not path.startswith("/"):
        reader.wrong(node, "path", "a path that begins with /")
    elif normal == "/" or ".." in path.split("/") or _NOT_IN_PATHS.search(path):
        reader.wrong(node, "path", "a path below / without `..`, `;` and control characters")
    return normal
