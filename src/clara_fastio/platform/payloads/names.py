# SPDX-License-Identifier: Apache-2.0
"""Names of files in a payload: relative paths that cannot leave it."""

from __future__ import annotations

import os

from clara_fastio.errors import InvalidRequestError

#: Bytes of a name between two slashes: what file systems take.
LONGEST_PART = 255
#: Bytes of a whole name: with the root in front it must stay within the 4096 of a path.
LONGEST_NAME = 2048

_SHOWN = 80

Parts = tuple[str, ...]


def parse_name(name: str) -> Parts:
    """Split a name as clients write it; leading ``/`` and ``./`` mean nothing.

    Parameters
    ----------
    name
        Relative to the payload, or to the folder that an upload goes to.

    Returns
    -------
    Parts
        At least one; none is empty, ``.`` or ``..``.

    Raises
    ------
    InvalidRequestError
        It is empty, names a folder, leads upwards, holds a NUL, or is too long.
    """
    shown = repr(name[:_SHOWN])
    if "\0" in name:
        raise InvalidRequestError(f"the file name {shown} holds a NUL character")
    pieces = name.split("/")
    if ".." in pieces:
        raise InvalidRequestError(
            f"the file name {shown} leads upwards; names stay within the payload, without '..'"
        )
    if pieces[-1] in {"", "."}:
        wanted = "names a folder; a file is wanted" if name else "is empty"
        raise InvalidRequestError(f"the file name {shown} {wanted}")
    parts = tuple(piece for piece in pieces if piece not in {"", "."})
    try:
        sizes = [len(piece.encode()) for piece in parts]
    except UnicodeEncodeError as error:
        raise InvalidRequestError(f"the file name {shown} is no Unicode text") from error
    if max(sizes) > LONGEST_PART or sum(sizes) + len(sizes) > LONGEST_NAME:
        raise InvalidRequestError(
            f"the file name {shown}... is too long: {LONGEST_NAME} bytes are allowed, and "
            f"{LONGEST_PART} between two slashes"
        )
    return parts


def shown_name(parts: Parts) -> str:
    """Write a name as clients see it: from the payload's root, with a leading ``/``.

    Operators may use any bytes in a name; what is no UTF-8 is shown as U+FFFD.
    """
    return "/" + "/".join(shown_part(part) for part in parts)


def shown_part(part: str) -> str:
    """Write one part of a name, as the system gave it, as clients see it."""
    return os.fsencode(part).decode(errors="replace")


def is_same(found: str, wanted: str) -> bool:
    """Whether a part that the system gave is the one that a client wrote, but for case."""
    return shown_part(found).casefold() == wanted.casefold()
