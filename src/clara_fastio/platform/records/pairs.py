# SPDX-License-Identifier: Apache-2.0
"""Metadata: pairs of strings that users attach to a pipeline, a job or a reusable payload."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from sqlalchemy import LargeBinary, and_, cast, delete, func, insert, select

from clara_fastio.errors import AlreadyExistsError, InvalidRequestError
from clara_fastio.platform.records.tables import pairs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sqlalchemy import ColumnElement, Connection

LONGEST_KEY = 128  #: bytes of UTF-8
LONGEST_VALUE = 256  #: bytes of UTF-8
#: Bytes of all pairs of one owner, as a message holds them: answers have to fit into the 4 MiB
#: that clients take.
LARGEST_SET = 4_000_000
_FRAME = 9  # Around a key and a value in a message: three tags, three lengths.
_MOST_VALUES = 10_000  # PostgreSQL takes 65535 in one statement.

PIPELINE, JOB, PAYLOAD = "pipeline", "job", "payload"


def find(connection: Connection, kind: str, owner_id: str) -> dict[str, str]:
    """Read all pairs of an owner."""
    found = _of(connection, kind, [owner_id])
    return found.get(owner_id, {})


def find_many(
    connection: Connection, kind: str, owner_ids: Iterable[str]
) -> dict[str, dict[str, str]]:
    """Read the pairs of several owners; who has none is not in the answer."""
    found: dict[str, dict[str, str]] = {}
    for some in _portions(owner_ids):
        found |= _of(connection, kind, some)
    return found


def add(connection: Connection, kind: str, owner_id: str, added: Mapping[str, str]) -> None:
    """Add pairs; what is there already stays in the database.

    Raises
    ------
    AlreadyExistsError
        A key is there already, or twice in `added`; case does not count.
    InvalidRequestError
        A key, a value or the set is too large, or a key is empty.
    """
    if not added:
        return
    taken: dict[str, str] = {}
    for key, value in added.items():
        _check(key, value)
        other = taken.setdefault(key.casefold(), key)
        if other is not key:
            raise _double(key, f"is also given as {other!r}")
    for some in _portions(taken):
        there = select(pairs.c.folded).where(_owned(kind, owner_id), pairs.c.folded.in_(some))
        if (folded := connection.execute(there.limit(1)).scalar()) is not None:
            raise _double(taken[folded], "is there already")
    size = _size(connection, kind, owner_id)
    size += sum(len(key.encode()) + len(value.encode()) + _FRAME for key, value in added.items())
    if size > LARGEST_SET:
        raise InvalidRequestError(
            f"the metadata would have {size} bytes, {_FRAME} of them around each pair, and "
            f"{LARGEST_SET} are the most that a {kind} may have"
        )
    rows = [
        {"kind": kind, "owner_id": owner_id, "folded": folded, "key": key, "value": added[key]}
        for folded, key in taken.items()
    ]
    connection.execute(insert(pairs), rows)


def remove(connection: Connection, kind: str, owner_id: str, keys: Iterable[str]) -> None:
    """Remove pairs, whether they are there or not."""
    for some in _portions(key.casefold() for key in keys):
        connection.execute(delete(pairs).where(_owned(kind, owner_id), pairs.c.folded.in_(some)))


def forget(connection: Connection, kind: str, owner_id: str) -> None:
    """Remove all pairs of an owner."""
    connection.execute(delete(pairs).where(_owned(kind, owner_id)))


def _of(connection: Connection, kind: str, owner_ids: list[str]) -> dict[str, dict[str, str]]:
    statement = (
        select(pairs.c.owner_id, pairs.c.key, pairs.c.value)
        .where(pairs.c.kind == kind, pairs.c.owner_id.in_(owner_ids))
        .order_by(pairs.c.owner_id, pairs.c.folded)
    )
    found: dict[str, dict[str, str]] = {}
    for owner_id, key, value in connection.execute(statement):
        found.setdefault(owner_id, {})[key] = value
    return found


def _owned(kind: str, owner_id: str) -> ColumnElement[bool]:
    return and_(pairs.c.kind == kind, pairs.c.owner_id == owner_id)


def _portions(values: Iterable[str]) -> Iterator[list[str]]:
    """Divide values, so that each portion fits into one statement."""
    left = iter(values)
    while some := [*itertools.islice(left, _MOST_VALUES)]:
        yield some


def _size(connection: Connection, kind: str, owner_id: str) -> int:
    """Let the database count the bytes of a set, as a message holds it."""
    is_sqlite = (
        connection.dialect.name == "sqlite"
    )  # Whose older versions only count those of BLOBs.

    def nbytes(column: ColumnElement[str]) -> ColumnElement[int]:
        return func.length(cast(column, LargeBinary)) if is_sqlite else func.octet_length(column)

    each = nbytes(pairs.c.key) + nbytes(pairs.c.value) + _FRAME
    counted = select(func.sum(each)).where(_owned(kind, owner_id))
    return int(connection.execute(counted).scalar() or 0)


def _double(key: str, where: str) -> AlreadyExistsError:
    return AlreadyExistsError(
        f"the metadata key {key!r} {where}; keys are compared without case. Remove it first"
    )


def _check(key: str, value: str) -> None:
    for what, text, longest in (("key", key, LONGEST_KEY), ("value", value, LONGEST_VALUE)):
        if len(text.encode()) > longest:
            raise InvalidRequestError(
                f"the metadata {what} {text[:40]!r}... has {len(text.encode())} bytes; "
                f"{longest} are allowed"
            )
        if "\0" in text:
            raise InvalidRequestError(f"the metadata {what} {text[:40]!r} holds a NUL character")
    if not key:
        raise InvalidRequestError("a metadata key is empty")
