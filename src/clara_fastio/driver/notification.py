# SPDX-License-Identifier: Apache-2.0
"""What a driver tells its notification handler."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import logging
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from clara_fastio.driver.phase import Phase

_logger = logging.getLogger("clara_fastio")


class Result(enum.IntEnum):
    """How a life cycle, or a step of it, went; zero is success."""

    SUCCESS = 0
    PREPARE_FAILED = 1
    EXECUTE_FAILED = 2
    CLEANUP_FAILED = 3
    STOPPED = 4
    Success = 0  # The spelling of the original.


class NotificationKind(enum.StrEnum):
    """What a notification is about."""

    STATE = "state"
    STOP = "stop"
    ERROR = "error"


@dataclasses.dataclass(frozen=True, slots=True)
class Notification:
    """One significant event in the life of a driver."""

    kind: NotificationKind
    code: Result
    """:attr:`Result.SUCCESS` for a change of phase."""
    message: str
    phase: Phase
    """Where the driver was when it happened."""
    error: BaseException | None = None
    """The failure; a handler's own exception is its ``__cause__``."""
    traceback: str = ""
    """The frames of the handler that raised, as text."""


class Notifier:
    """Hands notifications to a handler, one at a time, and survives what the handler does.

    Thread safety: any thread may notify.

    Parameters
    ----------
    handler
        Takes (driver, notification) or (driver, code, message). None: nothing is sent.
    """

    def __init__(self, handler: Callable[..., object] | None) -> None:
        self._handler = handler
        self._is_long_form = handler is not None and _wants_three(handler)
        # Reentrant: the handler may do something that notifies again.
        self._lock = threading.RLock()

    def notify(self, driver: object, notification: Notification) -> None:
        """Call the handler, if there is one; what it raises is logged and goes no further.

        Parameters
        ----------
        driver
            Passed on.
        notification
            Passed on whole, or as its code and message.
        """
        if self._handler is None:
            return
        arguments: tuple[Any, ...] = (driver, notification)
        if self._is_long_form:
            arguments = (driver, notification.code, notification.message)
        try:
            with self._lock:
                self._handler(*arguments)
        except BaseException:  # A SystemExit of this handler must not end the life cycle either.
            _logger.exception("the notification handler failed")


def _wants_three(handler: Callable[..., object]) -> bool:
    try:
        signature = inspect.signature(handler)
    except ValueError:  # A built-in that does not tell.
        return False
    for count in (2, 3):
        try:
            signature.bind(*range(count))
        except TypeError:
            continue
        return count > 2
    raise TypeError(
        f"the notification handler takes neither 2 nor 3 arguments: {handler!r}{signature}"
    )
