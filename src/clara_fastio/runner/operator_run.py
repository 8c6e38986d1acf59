# SPDX-License-Identifier: Apache-2.0
"""One operator of a running job, from pending to its end."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from clara_fastio.errors import FastIOError, LayoutError, PeerDiedError
from clara_fastio.runner.events import LogLine, Note, StateChanged
from clara_fastio.runner.memory import typed_inputs, typed_outputs
from clara_fastio.runner.result import Failure, OperatorReport, OperatorState, RunStatus
from clara_fastio.runner.time_limit import TimeLimit
from clara_fastio.runner.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from clara_fastio.pipeline import Operator
    from clara_fastio.runner.channel import Channel
    from clara_fastio.runner.images import Image
    from clara_fastio.runner.job import Job
    from clara_fastio.runner.runtimes import Connections, Exit, StartedOperator

_PROTOCOL = 1
_MEGABYTE = 1_000_000
#: Seconds that the control channel may stay open after the process and all below it has ended.
_LAST_WORDS = 5.0
_PHASES = {
    "prepare": OperatorState.PREPARE,
    "waiting": OperatorState.WAITING,
    "execute": OperatorState.EXECUTE,
    "cleanup": OperatorState.CLEANUP,
}
#: Its own time limit runs in these, not while it waits for others.
_WORKING = {
    OperatorState.STARTING,
    OperatorState.PREPARE,
    OperatorState.EXECUTE,
    OperatorState.CLEANUP,
}
#: Lines of output that are reported of a process that ended without a word.
_LAST_LINES = 40
_DECIDED = {OperatorState.COMPLETED, OperatorState.FAILED}


class OperatorRun:
    """Starts one operator when it may, listens to its driver, and judges its end.

    Parameters
    ----------
    job
        What it is part of.
    operator
        Its definition.
    image
        Its program.
    on_completed, on_failed
        Called once at most, and never both.
    """

    def __init__(
        self,
        job: Job,
        operator: Operator,
        image: Image,
        on_completed: Callable[[OperatorRun], None],
        on_failed: Callable[[Failure, RunStatus], None],
    ) -> None:
        self.operator = operator
        self.state = OperatorState.PENDING
        self.inputs_complete = False
        #: Whether it failed because another one did, which may not be known yet.
        self.blames_peer = False
        self._job = job
        self._image = image
        self._on_completed = on_completed
        self._on_failed = on_failed
        self._timeline = Timeline()
        self._process: StartedOperator | None = None
        self._control: Channel | None = None
        self._exit: Exit | None = None
        self._has_driver = False
        self._has_reported = False
        self._stop_reason: str | None = None
        self._may_start = asyncio.Event()
        self._timers: list[asyncio.TimerHandle] = []
        self._limit = TimeLimit(operator.timeout, self._exceed)
        self._last_lines: deque[str] = deque(maxlen=_LAST_LINES)

    @property
    def name(self) -> str:
        """Name of the operator."""
        return self.operator.name

    @property
    def pid(self) -> int | None:
        """Of its process, once there is one."""
        return self._process.pid if self._process else None

    @property
    def starts_at_once(self) -> bool:
        """Whether it can wait for its inputs by itself, so that it may prepare meanwhile."""
        for said in (self.operator.driver, self._image.driver):
            if said is not None:
                return said
        return bool(typed_inputs(self.operator) or typed_outputs(self.operator))

    @property
    def _is_stopping(self) -> bool:
        return self._stop_reason is not None

    async def run(self) -> None:
        """Go through the operator's whole life; nothing of it is alive afterwards."""
        if not self.starts_at_once:
            await self._may_start.wait()
        if self._is_stopping:
            self._enter(OperatorState.SKIPPED)
            return
        try:
            self._process, connections = await self._start()
        except (FastIOError, OSError) as error:
            self._fail("starting", type(error).__name__, str(error))
            return
        self._control = connections.control
        self._catch_up(self._control)
        self._exit = await self._follow(self._process, connections)
        self._judge(self._exit)

    def complete_inputs(self) -> None:
        """Let it execute: all that it reads is there."""
        self.inputs_complete = True
        self._may_start.set()
        if self._control is not None:
            self._control.send_message("ready")

    def stop(self, reason: str) -> None:
        """Ask it to give up; it is killed when it has not ended after the grace time."""
        if self._stop_reason is None:
            self._stop_reason = reason
            self._may_start.set()
            self._ask_to_stop()

    def kill(self) -> None:
        """Kill it and all that it started."""
        if self._process is not None:
            self._process.kill()

    def report(self) -> OperatorReport:
        """Say how it stands."""
        seconds = self._timeline.seconds
        states = OperatorState
        # What never greeted has no driver, unless it was stopped before it came to that.
        had_driver = self._has_driver or self.state is states.STOPPED
        without_driver = () if had_driver else (states.STARTING,)
        return OperatorReport(
            name=self.name,
            state=self.state,
            pid=self.pid,
            starting=seconds(states.STARTING) if had_driver else None,
            prepare=seconds(states.PREPARE),
            wait=seconds(states.WAITING),
            execute=seconds(states.EXECUTE, *without_driver),
            cleanup=seconds(states.CLEANUP),
            peak_memory=self._exit.peak_memory if self._exit else None,
            exit_code=self._exit.code if self._exit else None,
            log=f"logs/{self.name}.log",
        )

    async def _start(self) -> tuple[StartedOperator, Connections]:
        job = self._job
        self._enter(OperatorState.STARTING if self.starts_at_once else OperatorState.EXECUTE)
        connections = job.runtime.connect(job.memory, self.name)
        try:
            launch = job.launch(self.operator, self._image, connections, self._take_line)
            process = await job.runtime.start(launch, connections)
            connections.hand_over()
            await connections.control.open()
        except BaseException:
            connections.close()
            raise
        return process, connections

    def _catch_up(self, control: Channel) -> None:
        """Say what was decided while it was being started."""
        if self.inputs_complete:
            control.send_message("ready")
        if self._is_stopping:
            self._ask_to_stop()

    async def _follow(self, process: StartedOperator, connections: Connections) -> Exit:
        """Wait for the end of the process and of what its driver says."""
        heard = asyncio.create_task(self._hear(connections.control))
        watching = asyncio.create_task(self._watch_memory(process))
        try:
            ended = await process.wait()
            connections.process_ended()
            await asyncio.wait({heard}, timeout=_LAST_WORDS)
            if heard.done():
                heard.result()  # A mistake in acting on a message must not pass in silence.
            return ended
        finally:
            heard.cancel()
            watching.cancel()
            connections.close()
            self._limit.pause()
            for timer in self._timers:
                timer.cancel()

    async def _watch_memory(self, process: StartedOperator) -> None:
        used = await process.exceed_memory() // _MEGABYTE
        limit = self.operator.requests.memory
        text = f"it used {used} MB of memory, more than the {limit} MB that it requests"
        if not self._job.settings.enforce_memory:
            self._note(f"{text}; a platform server would end it")
            return
        advice = "raise 'memory' in its 'requests', or let it hold less at a time"
        self._fail(self.state.value, "OperatorError", f"{text}; {advice}")
        process.kill()

    def _take_line(self, text: str) -> None:
        self._last_lines.append(text)
        self._job.observe(LogLine(self.name, text))

    async def _hear(self, control: Channel) -> None:
        try:
            async for message in control.messages():
                self._take(message)
        except LayoutError as error:
            self._fail(self.state.value, type(error).__name__, str(error))

    def _take(self, message: dict[str, Any]) -> None:
        """Act on one message of the driver; kinds that a later version adds are passed over."""
        kind = message["kind"]
        if kind == "hello":
            if message.get("protocol") != _PROTOCOL:
                text = f"its driver speaks protocol {message.get('protocol')}, this is {_PROTOCOL}"
                self._fail("starting", "VersionMismatchError", text)
            self._has_driver = True
            self._timeline.begin_with_driver()
        elif kind == "phase" and message.get("phase") in _PHASES:
            at = message.get("time")
            self._enter(_PHASES[message["phase"]], at / 1e9 if isinstance(at, int) else None)
        elif kind == "failed":
            self._has_reported = True
            names = ("phase", "error", "message", "traceback")
            phase, error, text, traceback = (str(message.get(name, "")) for name in names)
            self.blames_peer = error == PeerDiedError.__name__
            self._fail(phase, error, text, traceback=traceback)
        elif kind == "completed":
            self._has_reported = True
            if message.get("succeeded") is True:
                self._complete()
            elif not self._is_stopping:
                self._fail(self.state.value, "OperatorError", "its driver reports failure")

    def _judge(self, ended: Exit) -> None:
        """Decide how it ended, if its driver has not said so."""
        if self.state is OperatorState.COMPLETED:
            if ended.code != 0:
                self._note(f"completed, and then {ended.describe()}; the report counts")
        elif self.state is OperatorState.FAILED:
            self._timeline.enter(OperatorState.FAILED)  # The end of what its driver still did.
        elif self._is_stopping:
            self._enter(OperatorState.STOPPED)
        elif self._has_driver:
            text = f"{ended.describe()} before its driver reported completion"
            self._fail(self.state.value, "PeerDiedError", text, output=self._last_lines)
        elif ended.code == 0 and not ended.error and self.starts_at_once:
            text = (
                "the process exited with code 0 and has never started its driver, on which the job "
                "waited; call its start(), or declare the operator with 'driver: false'"
            )
            self._fail(self.state.value, "OperatorError", text, output=self._last_lines)
        elif ended.code == 0 and not ended.error:
            self._complete()
        else:
            phase = "starting" if ended.error else self.state.value
            self._fail(phase, "OperatorError", ended.describe(), output=self._last_lines)

    def _complete(self) -> None:
        if self.state in _DECIDED:
            return
        missing = self._job.memory.unwritten(self.operator)
        if missing and not self._is_stopping:
            names = ", ".join(missing)
            self._fail("execute", "NotReadyError", f"it completed without writing {names}")
        elif not missing:
            self._enter(OperatorState.COMPLETED)
            self._on_completed(self)
            self._later(self._job.settings.grace, self._end_lingering)

    def _fail(
        self,
        phase: str,
        error: str,
        message: str,
        *,
        traceback: str = "",
        output: Iterable[str] = (),
        status: RunStatus = RunStatus.FAILED,
    ) -> None:
        if self.state in _DECIDED:
            return
        self._enter(OperatorState.FAILED)
        seconds, lines = self._job.seconds(), "\n".join(output)
        failure = Failure(self.name, phase, error, message, seconds, traceback, lines)
        self._on_failed(failure, status)

    def _ask_to_stop(self) -> None:
        if self._process is None or self._control is None:
            return
        grace = self._job.settings.grace
        if self._has_driver:
            if not self._has_reported:  # Else it is ending already.
                self._control.send_message("stop", reason=self._stop_reason)
            self._later(grace / 2, self._process.terminate)
        else:
            self._process.terminate()
        self._later(grace, self._process.kill)

    def _end_lingering(self) -> None:
        grace = self._job.settings.grace
        self._note(f"reported completion, but did not end within {grace:g} s; it is killed")
        self.kill()

    def _enter(self, state: OperatorState, at: float | None = None) -> None:
        """Enter a state; what a decided operator still does only goes to its times."""
        self._timeline.enter(state, at)
        no_news = state is self.state or (state is OperatorState.WAITING and self.inputs_complete)
        if self.state not in _DECIDED and not no_news:
            self.state = state
            self._job.observe(StateChanged(self.name, state, self._job.seconds()))
        if state in _WORKING and self.state not in _DECIDED:
            self._limit.run()
        else:
            self._limit.pause()

    def _exceed(self, limit: float) -> None:
        text = f"it took longer than its time limit of {limit:g} s"
        status = RunStatus.TIMED_OUT
        self._fail(self.state.value, "DeadlineExceededError", text, status=status)

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        self._timers.append(asyncio.get_running_loop().call_later(seconds, action))

    def _note(self, text: str) -> None:
        self._job.observe(Note(text, self.name))
