# SPDX-License-Identifier: Apache-2.0
"""Where the data of an output lies: in memory of the host or of a device, each for itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from clara_fastio.pipeline.document import Scalar
from clara_fastio.pipeline.model import ARRAY, DEVICE, HOST, STREAM, Placement

if TYPE_CHECKING:
    from clara_fastio.pipeline.reading import ObjectReader

#: What an output may say besides `memory`, and of which memory it may say it.
_DETAILS = {"device": DEVICE, "fallback": DEVICE, "pinned": HOST}
_MISPLACED = {
    HOST: ("its memory is the host's", "declare `memory: device`, or remove `{name}`"),
    DEVICE: ("its memory is a device's", "remove `{name}`"),
}
_DEVICES = 'a number such as 0 or "cuda:0", or the UUID of a device as "GPU-..."'
_ORDINAL = re.compile(r"(?:cuda:)?(0|[1-9][0-9]{0,3})")
_UUID = re.compile(r"GPU-[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def read_placement(reader: ObjectReader, type_name: str | None) -> Placement | None:
    """Read where an output lies; None when it is not in memory, or its `memory` is wrong."""
    if not _has_placement(reader, type_name):
        return None
    memory = HOST
    if _is_written(reader, "memory"):
        found = read_memory(reader, type_name)
        if found is None:
            _read_details(reader, set(_DETAILS))
            return None
        memory = found
    return _read_details(reader, _permitted(reader, type_name, memory), memory)


def read_stated_memory(reader: ObjectReader, type_name: str | None) -> str | None:
    """Read the memory that an input expects; None when it leaves that to its output."""
    if not _has_placement(reader, type_name):
        return None
    for name in _DETAILS:
        if _is_written(reader, name):
            reader.problems.error(
                reader.where(name),
                f"{reader.what} has `{name}`, which belongs to the output",
                hint=f"declare `{name}` at the output that the input names",
            )
    return read_memory(reader, type_name)


def read_memory(reader: ObjectReader, type_name: str | None) -> str | None:
    """Read `memory`; None when there is none that the entry can have."""
    memory = reader.text("memory")
    if memory is None:
        return None
    node = reader.where("memory")
    if memory not in {HOST, DEVICE}:
        reader.wrong(
            node, "memory", "host or device", hint=reader.problems.did_you_mean(memory, _MISPLACED)
        )
        return None
    if memory == DEVICE and type_name not in {None, ARRAY}:
        reader.problems.error(
            node,
            f"{reader.what} has `memory: device`, which the type `{type_name}` does not have",
            hint="only an `array` lies in the memory of a device",
            depends=(reader.where("type"),),
        )
        return None
    return memory


def _has_placement(reader: ObjectReader, type_name: str | None) -> bool:
    """Whether an entry lies in memory; what one on disk says about memory is refused."""
    version = reader.reading.version
    if version is None or not version.has_extensions:
        return False
    for name in ("memory", *_DETAILS) if type_name == STREAM else ():
        if _is_written(reader, name):
            reader.problems.error(
                reader.where(name),
                f"{reader.what} has `{name}`, but a stream lies on disk",
                hint=f"remove `{name}`",
                depends=(reader.where("type"),),
            )
    return type_name != STREAM


def _permitted(reader: ObjectReader, type_name: str | None, memory: str) -> set[str]:
    """Give the details that an output may have; those that it has besides are refused."""
    permitted = set()
    for name, wanted in _DETAILS.items():
        if type_name not in {None, ARRAY}:
            reason, hint = f"the type `{type_name}` does not have it", "remove `{name}`"
        elif wanted != memory:
            reason, hint = _MISPLACED[memory]
        else:
            permitted.add(name)
            continue
        if _is_written(reader, name):
            reader.problems.error(
                reader.where(name),
                f"{reader.what} has `{name}`, but {reason}",
                hint=hint.format(name=name),
                depends=(reader.where("memory"), reader.where("type")),
            )
    return permitted


def _read_details(reader: ObjectReader, permitted: set[str], memory: str = HOST) -> Placement:
    """Read those of the permitted details that are there."""
    read = {name for name in permitted if _is_written(reader, name)}
    return Placement(
        memory=memory,
        device=_read_device(reader) if "device" in read else None,
        fallback=_read_fallback(reader) if "fallback" in read else None,
        pinned="pinned" in read and bool(reader.boolean("pinned")),
    )


def _read_device(reader: ObjectReader) -> int | str | None:
    node = reader.where("device")
    if isinstance(node, Scalar):
        if ordinal := _ORDINAL.fullmatch(node.text):
            return int(ordinal[1])
        if _UUID.fullmatch(node.text):
            return node.text
    reader.wrong(node, "device", _DEVICES)
    return None


def _read_fallback(reader: ObjectReader) -> str | None:
    node = reader.where("fallback")
    if isinstance(node, Scalar) and node.text == HOST:
        return HOST
    reader.wrong(node, "fallback", HOST, hint="leave it out where copies are not permitted")
    return None


def _is_written(reader: ObjectReader, name: str) -> bool:
    node = reader.get(name)
    return node is not None and not (isinstance(node, Scalar) and not node.text)
