# SPDX-License-Identifier: Apache-2.0
"""The steps of a driver's life and the order they come in."""

from __future__ import annotations

import enum


class Phase(enum.StrEnum):
    """A step of a driver's life; the values are the words of the control channel."""

    CREATED = "created"
    PREPARE = "prepare"
    WAITING = "waiting"
    EXECUTE = "execute"
    CLEANUP = "cleanup"
    COMPLETED = "completed"

    def may_become(self, following: Phase) -> bool:
        """Say whether `following` may come right after this phase.

        Parameters
        ----------
        following
            The phase to go to.

        Returns
        -------
        bool
            False for every step back, and for every step that leaves out clean-up.
        """
        return following in _FOLLOWING[self]


# A phase without a handler is left out, and after a failure clean-up comes next from anywhere.
_FOLLOWING: dict[Phase, frozenset[Phase]] = {
    Phase.CREATED: frozenset({Phase.PREPARE, Phase.WAITING, Phase.CLEANUP}),
    Phase.PREPARE: frozenset({Phase.WAITING, Phase.CLEANUP}),
    Phase.WAITING: frozenset({Phase.EXECUTE, Phase.CLEANUP}),
    Phase.EXECUTE: frozenset({Phase.CLEANUP}),
    Phase.CLEANUP: frozenset({Phase.COMPLETED}),
    Phase.COMPLETED: frozenset(),
}
