# SPDX-License-Identifier: Apache-2.0
"""The functions a user gives to a driver, under all their names."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

_logger = logging.getLogger("clara_fastio")

#: Other spellings of the constructor's keywords, seen or likely in programs for the original.
ALIASES = {
    "prepare": "prepare_handler",
    "execute": "execute_handler",
    "cleanup": "cleanup_handler",
    "notify_handler": "notification_handler",
    "error_handler": "notification_handler",
    "app_data": "application_data",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Callbacks:
    """The arguments of a driver's constructor, checked."""

    prepare_handler: Callable[..., object] | None = None
    execute_handler: Callable[..., object] | None = None
    cleanup_handler: Callable[..., object] | None = None
    notification_handler: Callable[..., object] | None = None
    application_data: Any = None

    def __post_init__(self) -> None:
        """Refuse a handler that cannot be called."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name.endswith("_handler") and not (value is None or callable(value)):
                raise TypeError(
                    f"{field.name} must be callable or None, not {type(value).__name__}"
                )

    @classmethod
    def from_arguments(cls, canonical: dict[str, Any], others: dict[str, Any]) -> Callbacks:
        """Merge the canonical keywords with the other spellings.

        Parameters
        ----------
        canonical
            All fields of this class by name; None where they were not given.
        others
            Keywords in another spelling.

        Returns
        -------
        Callbacks
            With each value under its canonical name.

        Raises
        ------
        TypeError
            A keyword is unknown, given twice, or no function.
        """
        merged = dict(canonical)
        for spelling, value in others.items():
            name = ALIASES.get(spelling)
            if name is None:
                raise TypeError(f"Driver() got an unexpected keyword argument {spelling!r}")
            if merged[name] is not None:
                raise TypeError(f"Driver() got {name!r} twice: {spelling!r} is the same argument")
            merged[name] = value
        return cls(**merged)


def is_failure(result: object, handler: str) -> bool:
    """Judge what a handler returned: False is failure, True and None are success.

    Parameters
    ----------
    result
        What the handler returned.
    handler
        Its name, for the warning about anything else, which counts as success.

    Returns
    -------
    bool
        True for a false ``bool``, numpy's included.
    """
    if result is None:
        return False
    if isinstance(result, (bool, np.bool_)):
        return not result
    _logger.warning(
        "the %s handler returned %r, which counts as success; return True, None or False",
        handler,
        result,
    )
    return False
