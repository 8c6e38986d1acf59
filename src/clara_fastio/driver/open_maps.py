# SPDX-License-Identifier: Apache-2.0
"""The maps of one entry or allocation that a handler has opened and not ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clara_fastio.errors import ClosedError

if TYPE_CHECKING:
    from clara_fastio._core import Mapping


class OpenMaps:
    """Keeps maps alive until they are ended, since the style of the original keeps no hold of them.

    Parameters
    ----------
    owner
        What is mapped, to begin messages with.
    """

    __slots__ = ("_maps", "_owner")

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._maps: list[Mapping] = []

    def add(self, mapping: Mapping) -> Mapping:
        """Keep a map.

        Parameters
        ----------
        mapping
            Just opened.

        Returns
        -------
        Mapping
            The same.
        """
        self._maps = [*self._open(), mapping]
        return mapping

    def close_last(self) -> None:
        """End the map that was opened last and commit what was written.

        Raises
        ------
        ClosedError
            None is open.
        """
        self._maps = self._open()
        if not self._maps:
            raise ClosedError(f"{self._owner} is not mapped")
        self._maps.pop().close()

    def end(self, *, succeeded: bool) -> None:
        """End all that are open.

        Parameters
        ----------
        succeeded
            Whether what was written counts.
        """
        maps, self._maps = self._open(), []
        for mapping in maps:
            if succeeded:
                mapping.commit()
            else:
                mapping.abort()

    @property
    def is_any_open(self) -> bool:
        """Whether there is anything to end."""
        return bool(self._open())

    def _open(self) -> list[Mapping]:
        return [mapping for mapping in self._maps if mapping.is_open]
