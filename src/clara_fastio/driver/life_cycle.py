# SPDX-License-Identifier: Apache-2.0
"""The steps of one life cycle, taken on the driver's own thread."""

from __future__ import annotations

import logging
import threading
import traceback
from typing import TYPE_CHECKING

from clara_fastio.driver.callbacks import is_failure
from clara_fastio.driver.job_memory import JobMemory
from clara_fastio.driver.notification import Notification, NotificationKind, Notifier, Result
from clara_fastio.driver.payload import Payload
from clara_fastio.driver.phase import Phase
from clara_fastio.errors import CallbackError, DriverError, PhaseError

if TYPE_CHECKING:
    from collections.abc import Callable

    from clara_fastio.driver.callbacks import Callbacks
    from clara_fastio.driver.control import ControlChannel
    from clara_fastio.driver.settings import Settings

_logger = logging.getLogger("clara_fastio")

_RESULTS = {
    Phase.PREPARE: Result.PREPARE_FAILED,
    Phase.EXECUTE: Result.EXECUTE_FAILED,
    Phase.CLEANUP: Result.CLEANUP_FAILED,
}


class LifeCycle:
    """Takes a driver from its start to its end, once.

    Clean-up always runs. The first failure is the one that counts; later ones are notes on it.

    Thread safety: :meth:`run` belongs to one thread; everything else may be used by any.

    Parameters
    ----------
    driver
        What the handlers get as their first argument.
    callbacks
        The handlers.
    settings
        The job.
    """

    def __init__(self, driver: object, callbacks: Callbacks, settings: Settings) -> None:
        self._driver = driver
        self._callbacks = callbacks
        self._settings = settings
        self._channel: ControlChannel | None = None
        # Those that a handler runs on now, or may run on.
        self._threads: set[int] = set()
        self._memory = JobMemory(settings)
        self._notifier = Notifier(callbacks.notification_handler)
        # Set when the inputs are complete, and when there is no use in waiting for them.
        self._may_go_on = threading.Event()
        self.phase = Phase.CREATED
        self.error: DriverError | None = None
        self.stop_reason: str | None = None
        self.completed = threading.Event()

    @property
    def succeeded(self) -> bool | None:
        """How it ended; None before."""
        is_over = self.phase is Phase.COMPLETED or self.completed.is_set()
        return self.error is None if is_over else None

    def connect(self, channel: ControlChannel) -> None:
        """Let a runner take part; without one, the inputs count as complete.

        Parameters
        ----------
        channel
            The way to it, not yet listening.
        """
        self._channel = channel

    def is_own_thread(self) -> bool:
        """Say whether the caller is a handler, whose end the life cycle waits for."""
        return threading.get_ident() in self._threads

    def run(self) -> None:
        """Go through all phases and set :attr:`completed`."""
        self._threads.add(threading.get_ident())
        try:
            if self._channel is None:
                self._may_go_on.set()
            else:
                self._channel.listen(self._may_go_on.set, self.stop)
            if self._prepare() and self._wait_for_inputs():
                self._execute()
            self._clean_up()
            self._enter(Phase.COMPLETED)
        except BaseException as error:
            self._keep(DriverError(f"the driver itself failed: {error!r}"))
            _logger.exception("the driver itself failed")
        finally:
            # The runner first: who waits may end the process at once.
            if self._channel is not None:
                self._channel.close(succeeded=self.error is None)
            # Another thread may get this one's number.
            self._threads.discard(threading.get_ident())
            self.completed.set()

    def stop(self, reason: str) -> None:
        """Give up: what has not begun to execute will not.

        Parameters
        ----------
        reason
            Why, in words.
        """
        if self.stop_reason is None and not self.completed.is_set():
            self.stop_reason = reason
            self._may_go_on.set()
            _logger.warning("the driver is asked to stop: %s", reason)
            self._threads.add(threading.get_ident())
            self._notify(NotificationKind.STOP, Result.STOPPED, f"asked to stop: {reason}")
            self._threads.discard(threading.get_ident())

    def _prepare(self) -> bool:
        # Before the handler, which may take long: the memory of outputs with fixed dimensions
        # comes into being when their producer opens the context.
        if self._settings.has_typed_entries:
            try:
                self._memory.open()
            except Exception as error:  # noqa: BLE001 - whatever it is, the job must hear of it.
                failure = DriverError(f"the memory of the job could not be opened: {error}")
                self._fail(Phase.PREPARE, failure, error)
                return False
        return self._call(Phase.PREPARE, self._callbacks.prepare_handler)

    def _wait_for_inputs(self) -> bool:
        self._enter(Phase.WAITING)
        self._may_go_on.wait()
        return not self._is_stopped()

    def _execute(self) -> None:
        payload = Payload(self._settings, self._memory)
        has_run = self._call(Phase.EXECUTE, self._callbacks.execute_handler, payload)
        succeeded = not self._is_stopped() and has_run
        try:
            payload.finish(succeeded=succeeded)
        except Exception as error:  # noqa: BLE001 - an output that is lost is a failure.
            failure = DriverError(f"what execute left open could not be ended: {error}")
            self._fail(Phase.EXECUTE, failure, error)

    def _clean_up(self) -> None:
        self._enter(Phase.CLEANUP)
        try:
            self._memory.close()
        except Exception as error:  # noqa: BLE001 - the handler must run all the same.
            failure = DriverError(f"the memory of the job could not be closed: {error}")
            self._fail(Phase.CLEANUP, failure, error)
        self._call(Phase.CLEANUP, self._callbacks.cleanup_handler)

    def _call(self, phase: Phase, handler: Callable[..., object] | None, *more: object) -> bool:
        if handler is None:
            return True
        self._enter(phase)
        try:
            result = handler(self._driver, *more)
        except BaseException as error:  # noqa: BLE001 - sys.exit() in a handler is a failure too.
            message = f"the {phase} handler raised {type(error).__name__}: {error}"
            self._fail(phase, CallbackError(message, phase=phase.value), error)
            return False
        if is_failure(result, phase):
            message = f"the {phase} handler returned False"
            self._fail(phase, CallbackError(message, phase=phase.value))
            return False
        return True

    def _is_stopped(self) -> bool:
        if self.stop_reason is None:
            return False
        self._keep(DriverError(f"stopped: {self.stop_reason}"))
        return True

    def _enter(self, phase: Phase) -> None:
        if phase is self.phase:
            return
        if not self.phase.may_become(phase):
            raise PhaseError(f"the driver cannot go from {self.phase} to {phase}")
        self.phase = phase
        if self._channel is not None:
            self._channel.send_phase(phase)
        _logger.info("phase %s", phase)
        self._notify(NotificationKind.STATE, Result.SUCCESS, f"phase {phase}")

    def _fail(self, phase: Phase, failure: DriverError, cause: BaseException | None = None) -> None:
        failure.__cause__ = cause
        text = "" if cause is None else _text_of(cause)
        _logger.error("%s", failure, exc_info=cause)
        if self._channel is not None:
            self._channel.send_failed(phase, cause or failure, text)
        self._keep(failure)
        self._notify(NotificationKind.ERROR, _RESULTS[phase], str(failure), failure, text)
        if cause is not None and cause.__traceback__ is not None:
            # The frames of the handler hold its arrays, and these hold memory of the job.
            traceback.clear_frames(cause.__traceback__)

    def _keep(self, failure: DriverError) -> None:
        if self.error is None:
            self.error = failure
        else:
            self.error.add_note(f"and then: {failure}")

    def _notify(
        self,
        kind: NotificationKind,
        code: Result,
        message: str,
        error: DriverError | None = None,
        text: str = "",
    ) -> None:
        notification = Notification(kind, code, message, self.phase, error, text)
        self._notifier.notify(self._driver, notification)


def _text_of(error: BaseException) -> str:
    frames = error.__traceback__
    if frames is not None and frames.tb_next is not None:
        frames = frames.tb_next  # The first is of this module and tells the user nothing.
    return "".join(traceback.format_exception(type(error), error, frames))
