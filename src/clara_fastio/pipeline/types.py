# SPDX-License-Identifier: Apache-2.0
"""The types of the definition language."""

from __future__ import annotations

import math
from typing import Final

from clara_fastio.pipeline.model import ARRAY, DYNAMIC, STREAM, STRING, DataType

#: Canonical name of each primitive, and the bytes that one takes.
PRIMITIVES: Final = {
    "uint8": 1,
    "uint16": 2,
    "uint32": 4,
    "uint64": 8,
    "int8": 1,
    "int16": 2,
    "int32": 4,
    "int64": 8,
    "float16": 2,
    "float32": 4,
    "float64": 8,
}
ALIASES: Final = {
    "u8": "uint8",
    "u16": "uint16",
    "u32": "uint32",
    "u64": "uint64",
    "i8": "int8",
    "i16": "int16",
    "i32": "int32",
    "i64": "int64",
    "f16": "float16",
    "f32": "float32",
    "f64": "float64",
}
MAXIMUM_RANK = 32
MAXIMUM_BYTES = 2**63 - 1

PRIMITIVE_NAMES: Final = (*PRIMITIVES, *ALIASES)
TYPE_NAMES: Final = (STREAM, ARRAY, STRING, *PRIMITIVE_NAMES)


def canonical_primitive(name: str) -> str | None:
    """Give the canonical name of a primitive; None when `name` is none."""
    return ALIASES.get(name, name if name in PRIMITIVES else None)


def primitive(name: str) -> DataType:
    """Give the type of one value: a one-element array."""
    return DataType(name, name, (1,))


def string() -> DataType:
    """Give the type of text: bytes, as many as there are."""
    return DataType(STRING, "uint8", (DYNAMIC,))


def fixed_bytes(element_type: str, shape: tuple[int, ...]) -> int:
    """Count the bytes of an array whose dynamic dimensions are one."""
    return PRIMITIVES[element_type] * math.prod(size for size in shape if size != DYNAMIC)


def describe(data_type: DataType) -> str:
    """Show a type in a message, as in ``array<float32>[-1, 64]``."""
    if data_type.type == STREAM:
        return f"stream<{data_type.element_type}>"
    if data_type.type == ARRAY:
        return f"array<{data_type.element_type}>{list(data_type.shape)}"
    return data_type.type
