# SPDX-License-Identifier: Apache-2.0
"""Files that are to be sent: looked at as a whole before anything is made on a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clara_fastio.errors import AlreadyExistsError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def check_sources(paths: Iterable[Path]) -> None:
    """Make sure that files and folders can go into one payload.

    Raises
    ------
    AlreadyExistsError
        Two files would have the same name there.
    FastIOError
        One of them cannot be sent.
    """
    # Imports grpc, which not every command needs.
    from clara_fastio.platform.client.local_files import find_sources

    found: dict[str, Path] = {}
    for path in paths:
        for source, file in find_sources(path).items():
            other = found.setdefault(file.name, source)
            if not other.samefile(source):
                raise AlreadyExistsError(
                    f"{str(other)!r} and {str(source)!r} would both be {file.name!r} in the "
                    "payload; send a folder that has both, or rename one"
                )
