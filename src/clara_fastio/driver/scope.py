# SPDX-License-Identifier: Apache-2.0
"""The time during which the objects of one execution may be used."""

from __future__ import annotations

from clara_fastio.errors import ClosedError


class Scope:
    """Open while the execute handler runs; everything that the handler gets asks it first."""

    __slots__ = ("_is_open",)

    def __init__(self) -> None:
        self._is_open = True

    def close(self) -> None:
        """End it for good."""
        self._is_open = False

    def check(self, what: str) -> None:
        """Refuse when it is over.

        Parameters
        ----------
        what
            What was asked for, to begin the message with.

        Raises
        ------
        ClosedError
            The execute handler has returned.
        """
        if not self._is_open:
            raise ClosedError(f"{what} is valid only while the execute handler runs")
