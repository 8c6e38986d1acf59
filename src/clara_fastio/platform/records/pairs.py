# SPDX-License-Identifier: Apache-2.0
"""Metadata: pairs of strings that users attach to a pipeline, a job or a reusable payload."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from clara_fastio.errors import AlreadyExistsError, InvalidRequestError
from clara_fastio.platform.records.tables import pairs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection

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
    ids = list(owner_ids)
    found: dict[str, dict[str, str]] = {}
    for first in range(0, len(ids), _MOST_VALUES):
        found |= _of(connection, kind, ids[first : first + _MOST_VALUES])
    return found


def add(
    connection: Connection, kind: str, owner_id: str, added: Mapping[str, str]
) -> dict[str, str]:
    """Add pairs; gives the whole set.

    Raises
    ------
    AlreadyExistsError
        A key is there already, or twice in `added`; case does not count.
    InvalidRequestError
        A key, a value or the set is too large, or a key is empty.
    """
    kept = find(connection, kind, owner_id)
    taken = {key.casefold(): key for key in kept}
    for key, value in added.items():
        _check(key, value)
        other = taken.setdefault(key.casefold(), key)
        if other is not key:
            where = "is there already" if other in kept else f"is also given as {other!r}"
            raise AlreadyExistsError(
                f"the metadata key {key!r} {where}; keys are compared without case. Remove it first"
            )
    whole = kept | dict(added)
    size = sum(len(key.encode()) + len(value.encode()) + _FRAME for key, value in whole.items())
    if size > LARGEST_SET:
        raise InvalidRequestError(
            f"the metadata would have {size} bytes, {_FRAME} of them around each pair, and "
            f"{LARGEST_SET} are the most that a {kind} may have"
        )
    if added:
        rows = [
            {"kind": kind, "owner_id": owner_id, "folded": k.casefold(), "key": k, "value": v}
            for k, v in added.items()
        ]
        connection.execute(insert(pairs), rows)
    return whole


def remove(connection: Connection, kind: str, owner_id: str, keys: Iterable[str]) -> dict[str, str]:
    """Remove pairs, whether they are there or not; gives what is left."""
    folded = [key.casefold() for key in keys]
    for first in range(0, len(folded), _MOST_VALUES):
        some = folded[first : first + _MOST_VALUES]
        connection.execute(
            delete(pairs).where(
                pairs.c.kind == kind, pairs.c.owner_id == owner_id, pairs.c.folded.in_(some)
            )
        )
    return find(connection, kind, owner_id)


def forget(connection: Connection, kind: str, owner_id: str) -> None:
    """Remove all pairs of an owner."""
    connection.execute(delete(pairs).where(pairs.c.kind == kind, pairs.c.owner_id == owner_id))


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
