# SPDX-License-Identifier: Apache-2.0
"""Identifiers: 32 lower-case hexadecimal digits."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

from clara_fastio.errors import InvalidRequestError
from clara_fastio.platform._proto import common_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable

_DIGITS = re.compile(r"[0-9a-f]{32}")
_LONGEST_SHOWN = 80


def new_id() -> str:
    """Make an identifier that nobody has."""
    return uuid.uuid4().hex


def parse_id(identifier: common_pb2.Identifier | str | None, what: str) -> str:
    """Read an identifier as clients write it: with or without dashes, in either case.

    Parameters
    ----------
    identifier
        As it came; an unset field is none.
    what
        What it names, for the message.

    Raises
    ------
    InvalidRequestError
        It is missing or has another form.
    """
    text = identifier.value if isinstance(identifier, common_pb2.Identifier) else identifier or ""
    digits = text.strip().replace("-", "").lower()
    if _DIGITS.fullmatch(digits):
        return digits
    if not digits:
        raise InvalidRequestError(f"the request names no {what} id")
    raise InvalidRequestError(
        f"{text[:_LONGEST_SHOWN]!r} is no {what} id: one has 32 hexadecimal digits"
    )


def parse_ids(identifiers: Iterable[common_pb2.Identifier], what: str) -> list[str]:
    """Read several; see :func:`parse_id`."""
    return [parse_id(identifier, what) for identifier in identifiers]


def to_wire(value: str | None) -> common_pb2.Identifier | None:
    """Write an identifier; none for none, which leaves a field unset."""
    return None if value is None else common_pb2.Identifier(value=value)
