# SPDX-License-Identifier: Apache-2.0
"""The driver: runs an operator's handlers when its job is ready for them."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from clara_fastio.driver.callbacks import Callbacks
from clara_fastio.driver.control import ControlChannel
from clara_fastio.driver.life_cycle import LifeCycle
from clara_fastio.driver.settings import Settings
from clara_fastio.errors import PhaseError

if TYPE_CHECKING:
    import datetime as dt
    import uuid
    from collections.abc import Callable

    from clara_fastio.driver.notification import Notification
    from clara_fastio.driver.payload import Payload
    from clara_fastio.driver.phase import Phase
    from clara_fastio.errors import DriverError

_logger = logging.getLogger("clara_fastio")


class Driver:
    """Runs prepare, execute and cleanup of an operator, each at most once.

    Each handler is optional. None or True from a handler is success; False or an exception is
    failure, is logged, told to the notification handler and reported to the job. After a
    failure clean-up still runs. Handlers run on a thread of the driver; the process does not
    end before the life cycle has.

    The keywords ``prepare``, ``execute``, ``cleanup``, ``notify_handler``, ``error_handler`` and
    ``app_data`` are other spellings of these.

    Thread safety: all members.

    Parameters
    ----------
    prepare_handler
        Called with the driver at once, while the inputs may not be there yet.
    execute_handler
        Called with the driver and the payload when the inputs are complete.
    cleanup_handler
        Called with the driver after that, or after a failure.
    notification_handler
        Called with the driver and a :class:`Notification`, or, when it takes three arguments,
        with the driver, a code and a message. What it raises is logged and goes no further.
    application_data
        Anything; handlers find it on the driver.

    Raises
    ------
    TypeError
        A handler cannot be called, or a keyword is unknown.
    DriverError
        The environment describes the job in a way that cannot be understood.

    Examples
    --------
    >>> def execute(driver, payload):
    ...     driver.application_data.append([entry.path for entry in payload.input_entries])
    >>> seen = []
    >>> driver = Driver(execute_handler=execute, application_data=seen)
    >>> driver.start()
    >>> driver.wait_for_completion()
    >>> driver.succeeded
    True
    """

    def __init__(
        self,
        prepare_handler: Callable[[Driver], bool | None] | None = None,
        execute_handler: Callable[[Driver, Payload], bool | None] | None = None,
        cleanup_handler: Callable[[Driver], bool | None] | None = None,
        notification_handler: (
            Callable[[Driver, Notification], object] | Callable[[Driver, int, str], object] | None
        ) = None,
        application_data: Any = None,
        **other_spellings: Any,
    ) -> None:
        self._callbacks = Callbacks.from_arguments(
            {
                "prepare_handler": prepare_handler,
                "execute_handler": execute_handler,
                "cleanup_handler": cleanup_handler,
                "notification_handler": notification_handler,
                "application_data": application_data,
            },
            other_spellings,
        )
        self._settings = Settings.from_environment()
        self._life_cycle = LifeCycle(self, self._callbacks, self._settings)
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    @property
    def application_data(self) -> Any:
        """The object given to the constructor."""
        return self._callbacks.application_data

    @property
    def app_data(self) -> Any:
        """The same as :attr:`application_data`."""
        return self._callbacks.application_data

    @property
    def job_id(self) -> uuid.UUID:
        """The identity of the job; all zero outside a job."""
        return self._settings.job_id

    @property
    def job_name(self) -> str:
        """The name of the job; empty outside a job."""
        return self._settings.job_name

    @property
    def stage_name(self) -> str:
        """The name of this operator in the pipeline; empty outside a job."""
        return self._settings.stage_name

    @property
    def stage_timeout(self) -> dt.timedelta:
        """The time this operator may take; the largest timedelta when there is no limit."""
        return self._settings.stage_timeout

    @property
    def phase(self) -> Phase:
        """Where the life cycle is."""
        return self._life_cycle.phase

    @property
    def succeeded(self) -> bool | None:
        """How the life cycle ended; None before it has."""
        return self._life_cycle.succeeded

    @property
    def error(self) -> DriverError | None:
        """The first failure; what a handler raised is its ``__cause__``."""
        return self._life_cycle.error

    @property
    def is_stopping(self) -> bool:
        """Whether the job is given up; a long execute handler should look now and then."""
        return self._life_cycle.stop_reason is not None

    def start(self) -> None:
        """Begin the life cycle and return at once.

        Raises
        ------
        PhaseError
            It has begun already.
        DriverError
            The control channel is not there.
        """
        with self._starting:
            if self._thread is not None:
                raise PhaseError("the driver was started already; make another one for another run")
            if self._settings.control:
                channel = ControlChannel.claim(self._settings.control, self._settings.grace)
                self._life_cycle.connect(channel)
            _show_trace(self._settings.trace)
            # Not a daemon: a program that ends its main function early must not cut it off.
            self._thread = threading.Thread(target=self._life_cycle.run, name="clara-fastio-driver")
            self._thread.start()

    def wait_for_completion(self) -> None:
        """Wait until the life cycle has ended, however it ended.

        Any number of threads may wait, any number of times. Ctrl-C asks the life cycle to stop.

        Raises
        ------
        PhaseError
            The driver was not started, or a handler waits for its own end.
        """
        if self._thread is None:
            raise PhaseError("the driver was not started; call start() first")
        if self._life_cycle.is_own_thread():
            raise PhaseError("a handler cannot wait for the life cycle that it is a part of")
        try:
            self._life_cycle.completed.wait()
        except KeyboardInterrupt:
            self._life_cycle.stop("interrupted")
            raise

    def __repr__(self) -> str:
        return f"<Driver {self.stage_name!r} phase={self.phase}>"


def _show_trace(level: int) -> None:
    if level < 1:
        return
    _logger.setLevel(logging.INFO if level == 1 else logging.DEBUG)
    if not _logger.hasHandlers():  # The program keeps no log, so the trace goes to stderr.
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s"))
        _logger.addHandler(handler)
