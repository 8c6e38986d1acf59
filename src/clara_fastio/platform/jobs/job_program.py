# SPDX-License-Identifier: Apache-2.0
"""The process that runs one job.

It gets one connection to the server, on which both sides send JSON lines. The server's first is
the ``plan``; later it may ``cancel``. This process tells of every operator whose status changes
(``operator``), of the shared memory that the job holds (``memory``), and at the end of the
``result``. The end of file from the server means that the server is gone: this process ends at
once, and its operators' launchers then kill them.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, NoReturn

from clara_fastio.errors import FastIOError
from clara_fastio.pipeline import load_definition
from clara_fastio.platform.jobs.logs import add_note
from clara_fastio.platform.jobs.plan import Plan
from clara_fastio.platform.records.states import JobStatus, OperatorStatus
from clara_fastio.runner import Failure, Note, OperatorState, Runner, RunStatus, StateChanged
from clara_fastio.runner.channel import Channel

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from clara_fastio.runner import Event, RunResult

#: Bytes of the longest line: that of a plan with the largest definition, each character escaped.
LONGEST_LINE = 64 << 20

#: Characters of a text that goes into the messages of a job; of longer ones the end is kept.
_LONGEST_TEXT = 8192

#: Sentences about frames that were lost that go into the messages of a job; its log has all.
_MOST_LOSSES = 20
_FATES = ("accepted", "skipped", "taken", "dropped", "unread", "lost", "late")

#: Seconds between two looks at the shared memory.
_MEASURE_EVERY = 1.0

_STATUS = {
    OperatorState.PENDING: OperatorStatus.PENDING,
    OperatorState.SKIPPED: OperatorStatus.PENDING,
    OperatorState.COMPLETED: OperatorStatus.COMPLETED,
    OperatorState.FAILED: OperatorStatus.FAULTED,
    OperatorState.STOPPED: OperatorStatus.FAULTED,
}
_ENDS = {OperatorStatus.COMPLETED, OperatorStatus.FAULTED}
_OUTCOMES = {
    RunStatus.SUCCEEDED: JobStatus.HEALTHY,
    RunStatus.FAILED: JobStatus.FAULTED,
    RunStatus.TIMED_OUT: JobStatus.TERMINATED,
    RunStatus.INTERRUPTED: JobStatus.CANCELED,
}


class JobProgram:
    """Runs the job of one plan.

    Parameters
    ----------
    plan
        The job.
    server
        Open; closed by whoever opened it.
    """

    def __init__(self, plan: Plan, server: Channel) -> None:
        self._plan = plan
        self._server = server
        self._operators: dict[str, dict[str, Any]] = {}

    async def run(self) -> None:
        """Run the job and report its result, whatever that is."""
        plan = self._plan
        plan.logs.mkdir(parents=True, exist_ok=True)
        plan.scratch.mkdir(parents=True, exist_ok=True)
        helping: list[asyncio.Task[None]] = []
        try:
            pipeline = load_definition(plan.files).resolve(plan.arguments)
            self._log(f"job {plan.job_id} of pipeline {pipeline.name!r} starts")
            runner = Runner(pipeline, plan.settings(), self._observe)
            helping.append(asyncio.create_task(self._listen(runner)))
            helping.append(asyncio.create_task(self._measure(runner)))
            self._report(await runner.run())
        except (FastIOError, OSError) as error:
            self._log(f"the job could not be run: {error}")
            self._send_result(JobStatus.FAULTED, [f"{type(error).__name__}: {error}"])
        finally:
            for task in helping:
                task.cancel()
            shutil.rmtree(plan.scratch, ignore_errors=True)

    async def _listen(self, runner: Runner) -> None:
        async for message in self._server.messages():
            if message["kind"] == "cancel":
                self._log(f"canceled: {message['reason']}")
                runner.cancel(message["reason"])
        _end_at_once()

    def _observe(self, event: Event) -> None:
        if isinstance(event, StateChanged):
            self._log(f"{event.operator}: {event.state.value}")
            self._follow(event)
        elif isinstance(event, Note):
            self._log(f"{event.operator}: {event.text}" if event.operator else event.text)

    def _follow(self, event: StateChanged) -> None:
        """Tell the server if the change is one that it knows."""
        status = _STATUS.get(event.state, OperatorStatus.RUNNING)
        known = self._operators.get(event.operator)
        if status is OperatorStatus.PENDING or (known and known["status"] == status):
            return
        now = time.time_ns()
        started = known["started"] if known else now
        stopped = now if status in _ENDS else None
        found = {"name": event.operator, "status": status, "started": started, "stopped": stopped}
        self._operators[event.operator] = found
        self._server.send_message("operator", **found)

    def _report(self, result: RunResult) -> None:
        seconds = f"{result.seconds:.3f} s"
        self._log(f"the job has ended after {seconds}: {result.status.value}")
        messages = [] if result.failure is None else describe(result.failure)
        if messages:
            self._log(messages[0])
        for loss in result.losses:
            self._log(loss)
        messages += result.losses[:_MOST_LOSSES]
        edges: Counter[str] = Counter()
        for edge in result.edges:
            edges[edge.medium] += edge.nbytes
        self._send_result(_OUTCOMES[result.status], messages, edges, count_frames(result))

    def _send_result(
        self,
        status: JobStatus,
        messages: list[str],
        edges: Mapping[str, int] | None = None,
        frames: Mapping[str, int] | None = None,
    ) -> None:
        texts = [self._plan.without_paths(text) for text in messages]
        self._server.send_message(
            "result", status=status, messages=texts, edges=edges or {}, frames=frames or {}
        )

    async def _measure(self, runner: Runner) -> None:
        """Tell the server now and then how much shared memory the job holds."""
        told = 0
        while True:
            await asyncio.sleep(_MEASURE_EVERY)
            used = runner.memory_used()
            if used != told:
                self._server.send_message("memory", nbytes=used)
                told = used

    def _log(self, text: str) -> None:
        """Write into the log that callers may read; it must not end the job if it cannot."""
        add_note(self._plan.logs, self._plan.without_paths(text))


def count_frames(result: RunResult) -> dict[str, int]:
    """Add up the frames of all edges by what became of them; empty without streams."""
    frames: Counter[str] = Counter()
    for stream in result.streams:
        frames["unclaimed"] += stream.unclaimed
        for edge in stream.edges:
            frames.update({fate: getattr(edge, fate) for fate in _FATES})
    return dict(frames)


def describe(failure: Failure) -> list[str]:
    """Say in the messages of a job what failed first: a sentence, and what the operator said."""
    if not failure.operator:
        return [failure.message]
    where = f"operator {failure.operator!r} failed"
    if failure.phase:
        where += f" in {failure.phase}"
    head = f"{where} after {failure.seconds:.1f} s: {failure.error}: {failure.message}"
    rest = failure.traceback or failure.output
    return [text[-_LONGEST_TEXT:] for text in (head, rest) if text]


def _end_at_once() -> NoReturn:
    """End without a word, as the server did."""
    os._exit(1)


async def _run(connection: socket.socket) -> None:
    server = Channel(connection)
    await server.open(LONGEST_LINE)
    try:
        if message := await anext(server.messages(), None):
            await JobProgram(Plan.from_json(message["plan"]), server).run()
    finally:
        await server.finish()


def main(connection: socket.socket) -> int:
    """Run the job that the server names.

    Parameters
    ----------
    connection
        To the server; owned from here on.

    Returns
    -------
    int
        The status to exit with.
    """
    asyncio.run(_run(connection))
    return 0
