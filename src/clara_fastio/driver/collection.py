# SPDX-License-Identifier: Apache-2.0
"""Entries of a payload: name and path pairs, and the sequence they come in."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar, overload

from clara_fastio.errors import NotFoundError


class _Named(Protocol):
    @property
    def name(self) -> str: ...


_EntryT = TypeVar("_EntryT", bound=_Named)


@dataclasses.dataclass(frozen=True, slots=True)
class PayloadEntry:
    """An input or output on disk.

    Producer and consumer of the same data may see different paths.
    """

    name: str
    """Empty for at most one entry of a set."""
    path: str
    """A folder or file, as this process sees it."""


class PayloadCollection(Sequence[_EntryT]):
    """Entries in the order of the pipeline definition; nothing can be added or removed.

    Parameters
    ----------
    entries
        What it holds.
    """

    __slots__ = ("_entries",)

    def __init__(self, entries: Iterable[_EntryT]) -> None:
        self._entries = tuple(entries)

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, key: int | str) -> _EntryT: ...
    @overload
    def __getitem__(self, key: slice) -> PayloadCollection[_EntryT]: ...
    def __getitem__(self, key: int | str | slice) -> _EntryT | PayloadCollection[_EntryT]:
        """Find by position or by name."""
        if isinstance(key, str):
            return find_by_name(self._entries, key)
        if isinstance(key, slice):
            return PayloadCollection(self._entries[key])
        return self._entries[key]

    def __contains__(self, value: object) -> bool:
        """Say whether an entry is in, given as itself or by its name."""
        if isinstance(value, str):
            return any(entry.name.casefold() == value.casefold() for entry in self._entries)
        return value in self._entries

    def __repr__(self) -> str:
        return f"PayloadCollection({list(self._entries)!r})"


def find_by_name(entries: Sequence[_EntryT], name: str) -> _EntryT:
    """Find the entry of a name; pipelines do not distinguish upper and lower case.

    Parameters
    ----------
    entries
        Where to look.
    name
        What to look for.

    Returns
    -------
    entry
        The only one of that name.

    Raises
    ------
    NotFoundError
        No entry has the name, or several have: inputs carry the names of the outputs that
        feed them, and two operators may call theirs alike.
    """
    found = [entry for entry in entries if entry.name.casefold() == name.casefold()]
    if len(found) == 1:
        return found[0]
    if found:
        raise NotFoundError(f"{len(found)} entries are named {name!r}: find them by position")
    names = ", ".join(repr(entry.name) for entry in entries) or "none"
    raise NotFoundError(f"there is no entry {name!r}; there are: {names}")
