# SPDX-License-Identifier: Apache-2.0
"""Words that programs and this library exchange, and records for people."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ALIASES", "AccessMode", "ElementType", "EntryInfo", "MemoryKind", "ProcessInfo"]


class AccessMode(StrEnum):
    """What one wants to do with a mapping; the words of `map` are these and their long names."""

    READ = "r"
    #: A whole new content.
    WRITE = "w"
    #: A change in place.
    UPDATE = "r+"


class MemoryKind(StrEnum):
    """Where bytes live."""

    HOST = "host"
    DEVICE = "device"


#: The short names of the definition language. They are not numpy's: `u8` has eight bits here.
ALIASES: Final[Mapping[str, str]] = MappingProxyType(
    {
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
)


class ElementType(StrEnum):
    """What one element of an array is; made from a canonical name or a short alias."""

    UINT8 = "uint8"
    UINT16 = "uint16"
    UINT32 = "uint32"
    UINT64 = "uint64"
    INT8 = "int8"
    INT16 = "int16"
    INT32 = "int32"
    INT64 = "int64"
    FLOAT16 = "float16"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    BOOL = "bool"
    COMPLEX64 = "complex64"
    COMPLEX128 = "complex128"
    BFLOAT16 = "bfloat16"

    @classmethod
    def _missing_(cls, value: object) -> ElementType | None:
        name = ALIASES.get(value) if isinstance(value, str) else None
        return None if name is None else cls(name)


@dataclass(frozen=True)
class EntryInfo:
    """One entry of a context as it was at one moment; see :meth:`Context.entries`."""

    #: None while an allocation is not published.
    name: str | None
    #: ``"allocation"`` or ``"variable"``.
    kind: str
    dtype: ElementType
    #: Of the content; the declared one while there is none. None is a dynamic dimension.
    shape: tuple[int | None, ...]
    declared_shape: tuple[int | None, ...]
    #: ``"C"`` or ``"F"``.
    order: str
    #: Bytes of the content; 0 while its shape is not known.
    nbytes: int
    #: Bytes of memory that are reserved for data.
    capacity: int
    #: ``"host"`` or ``"device"``.
    memory: MemoryKind
    #: UUID of the device, None on the host or while none is chosen.
    device: str | None
    #: Committed writes.
    version: int
    #: ``"unpublished"``, ``"live"``, or ``"freed"`` while somebody still holds it.
    state: str
    #: The role of the process that may write a variable, ``"pid N"`` if it has none, or None.
    producer: str | None
    #: Whether the kernel refuses every further write.
    is_frozen: bool
    #: Whether the producer died and no other has taken its place.
    is_orphaned: bool
    #: Slot of the process that writes or is about to.
    writer: int | None
    #: Slots of processes that read.
    readers: tuple[int, ...]
    #: Slots of processes that refer to it.
    holders: tuple[int, ...]


@dataclass(frozen=True)
class ProcessInfo:
    """One process of a context as it was at one moment; see :meth:`Context.processes`."""

    slot: int
    #: As the host's kernel counts; another namespace has other numbers.
    pid: int
    role: str
    #: ``"live"``, or ``"quarantined"`` after it hung up and until it is known to be dead.
    state: str
    #: Seconds since it opened the context.
    age: float
