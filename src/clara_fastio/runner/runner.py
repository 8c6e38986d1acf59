# SPDX-License-Identifier: Apache-2.0
"""Run one pipeline as one job."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from typing import TYPE_CHECKING

from clara_fastio.runner.events import Note, ignore
from clara_fastio.runner.interruption import interruptible
from clara_fastio.runner.job import Job
from clara_fastio.runner.ledger import Ledger
from clara_fastio.runner.memory import JobMemory
from clara_fastio.runner.operator_run import OperatorRun
from clara_fastio.runner.orphans import adopting
from clara_fastio.runner.payload import Payload
from clara_fastio.runner.result import Failure, OperatorState, RunResult, RunStatus
from clara_fastio.runner.runtimes import make_runtime
from clara_fastio.runner.settings import Settings
from clara_fastio.runner.support import refuse_unsupported
from clara_fastio.runner.work_payload import WorkPayload

if TYPE_CHECKING:
    from pathlib import Path

    from clara_fastio.pipeline import Pipeline
    from clara_fastio.runner.events import Observer
    from clara_fastio.runner.stream_report import StreamReport

#: Seconds between two looks at the counters of streams.
_LOOK = 0.25
#: Seconds in which an operator that died is noticed, after another has missed it.
_PATIENCE = 2.0


class Runner:
    """Runs one pipeline, once; hosts the context of the job.

    Thread safety: only on the thread of the loop that :meth:`run` is on. That thread must live
    until :meth:`run` has returned: the operators' launchers die with it.

    Parameters
    ----------
    pipeline
        Resolved and checked.
    settings
        How it is to be run.
    observe
        Told of every event.

    Raises
    ------
    PipelineError
        The pipeline asks for something that this runner does not offer, or for an image that
        nothing is known about.
    """

    def __init__(
        self, pipeline: Pipeline, settings: Settings | None = None, observe: Observer = ignore
    ) -> None:
        self._pipeline = pipeline
        self._settings = settings or Settings()
        refuse_unsupported(pipeline, self._settings)
        place = self._settings.place
        self.job_id = place.job_id if place else uuid.uuid4().hex
        self._observe = observe
        self._runtime = make_runtime(self._settings, self.job_id)
        self._images = {
            operator.name: self._settings.images.resolve(
                operator.name,
                operator.image,
                operator.command,
                needs_command=not self._runtime.knows_entry_points,
            )
            for operator in pipeline.operators
        }
        self._job: Job | None = None
        self._ledger: Ledger | None = None
        self._runs: dict[str, OperatorRun] = {}
        self._failure: Failure | None = None
        self._second_hand: list[Failure] = []
        self._signal: int | None = None
        self._status = RunStatus.RUNNING
        self._final: RunResult | None = None

    async def run(self) -> RunResult:
        """Run the job to its end, whatever that is.

        Returns
        -------
        RunResult
            Also of a job that failed.

        Raises
        ------
        FastIOError
            The job could not be started: no context, no folders.
        """
        place = self._settings.place
        payload = Payload.at(place) if place else WorkPayload(self._settings, self.job_id)
        sweeping = asyncio.create_task(asyncio.to_thread(payload.sweep))
        try:
            payload.create(self._pipeline)
            await self._prepare(payload)
            memory = JobMemory(f"{self._pipeline.name}-{self.job_id[:8]}", self._pipeline)
            with contextlib.closing(memory), adopting(self.job_id):
                self._job = Job(
                    id=self.job_id,
                    pipeline=self._pipeline,
                    settings=self._settings,
                    payload=payload,
                    memory=memory,
                    runtime=self._runtime,
                    observe=self._observe,
                )
                self._ledger = Ledger(self._job)
                await self._run_operators(self._job)
                await self._ledger.settle()
                self._look_at_streams()
                result = self._conclude(payload)
            if payload.record is not None:
                payload.record.write_text(json.dumps(result.to_json(), indent=2) + "\n")
            await asyncio.to_thread(payload.deliver)
        finally:
            await self._runtime.close()
            payload.discard()
            await sweeping
        return result

    def cancel(self, reason: str, number: int | None = None) -> None:
        """Stop the job; a second call kills what is still alive.

        Parameters
        ----------
        reason
            What the operators and the result are told.
        number
            The signal that was received, if it was one.
        """
        if self._status is RunStatus.INTERRUPTED:
            for run in self._runs.values():
                run.kill()
            return
        if self._status is RunStatus.RUNNING:
            self._signal = number
            seconds = 0.0 if self._job is None else self._job.seconds()
            failure = Failure("", "", "Interrupted", reason, seconds)
            self._end_early(failure, RunStatus.INTERRUPTED)

    def snapshot(self) -> RunResult:
        """Say how the job stands now, or how it ended."""
        return self._final or self._report(directory=None)

    def memory_used(self) -> int:
        """Bytes that the job's context holds now; only while :meth:`run` is on."""
        return self._job.memory.used() if self._job and not self._final else 0

    def _report(self, directory: Path | None) -> RunResult:
        return RunResult(
            job_id=self.job_id,
            pipeline=self._pipeline.name,
            context=self._job.memory.name if self._job else "",
            status=self._status,
            seconds=self._job.seconds() if self._job else 0.0,
            failure=self._failure,
            signal=self._signal,
            operators=tuple(run.report() for run in self._runs.values()),
            edges=self._ledger.edges() if self._ledger else (),
            streams=self._streams(),
            directory=directory,
        )

    def _streams(self) -> tuple[StreamReport, ...]:
        if self._job is None:
            return ()
        return self._job.memory.streams(is_over=self._status is not RunStatus.RUNNING)

    def _look_at_streams(self) -> None:
        if self._job is not None:
            operators = {run.pid: run.name for run in self._runs.values() if run.pid is not None}
            self._job.memory.look(operators)

    async def _watch_streams(self, job: Job) -> None:
        while job.memory.has_streams:
            self._look_at_streams()
            await asyncio.sleep(_LOOK)

    def _conclude(self, payload: Payload) -> RunResult:
        if self._status is RunStatus.RUNNING:
            self._status = RunStatus.SUCCEEDED
        self._final = self._report(payload.destination)
        return self._final

    async def _prepare(self, payload: Payload) -> None:
        """Find out what the runtime can do here, and say what it cannot."""
        used = [(operator, self._images[operator.name]) for operator in self._pipeline.operators]
        if remark := await self._runtime.prepare(payload, used):
            self._observe(Note(remark))

    async def _run_operators(self, job: Job) -> None:
        for operator in self._pipeline.operators:
            image = self._images[operator.name]
            run = OperatorRun(job, operator, image, self._complete, self._end_early)
            self._runs[operator.name] = run
        if self._status is not RunStatus.RUNNING:  # Cancelled before there was anything to stop.
            self._stop_all()
        loop = asyncio.get_running_loop()
        limit = None
        if job.timeout is not None:
            limit = loop.call_later(job.timeout, self._exceed, job.timeout)
        self._let_execute()
        watching = asyncio.create_task(self._watch_streams(job))
        try:
            async with asyncio.TaskGroup() as group:
                for run in self._runs.values():
                    group.create_task(self._see_through(job, run), name=run.name)
        except BaseException:
            # Nothing is left that could wait for them: closing the links kills the operators.
            self._status = RunStatus.INTERRUPTED
            raise
        finally:
            watching.cancel()
            if limit is not None:
                limit.cancel()
        self._blame_peers()

    async def _see_through(self, job: Job, run: OperatorRun) -> None:
        try:
            await run.run()
        finally:
            job.memory.ended(run.operator)

    def _let_execute(self) -> None:
        """Tell the operators whose inputs have become complete."""
        completed = {
            name for name, run in self._runs.items() if run.state is OperatorState.COMPLETED
        }
        for run in self._runs.values():
            if not run.inputs_complete and run.operator.awaited <= completed:
                run.complete_inputs()

    def _complete(self, run: OperatorRun) -> None:
        if self._job is not None and self._ledger is not None:
            self._ledger.count_outputs(run.operator)
            self._job.memory.finished(run.operator)
        if self._status is RunStatus.RUNNING:
            self._let_execute()

    def _exceed(self, limit: float) -> None:
        busy = [
            f"{run.name} ({run.state.value})"
            for run in self._runs.values()
            if run.state is not OperatorState.COMPLETED
        ]
        if not busy:
            return
        text = f"the job took longer than its time limit of {limit:g} s; left: {', '.join(busy)}"
        failure = Failure("", "", "DeadlineExceededError", text, limit)
        self._end_early(failure, RunStatus.TIMED_OUT)

    def _end_early(self, failure: Failure, status: RunStatus) -> None:
        """Keep the first failure and stop everybody; that a peer died is the peer's failure."""
        if failure.operator and self._runs[failure.operator].blames_peer:
            self._second_hand.append(failure)
            asyncio.get_running_loop().call_later(_PATIENCE, self._blame_peers)
        elif self._status is RunStatus.RUNNING:
            self._status, self._failure = status, failure
            self._stop_all()

    def _blame_peers(self) -> None:
        """Take a failure at second hand: the peer itself has not said what happened."""
        if self._second_hand and self._status is RunStatus.RUNNING:
            self._status, self._failure = RunStatus.FAILED, self._second_hand[0]
            self._stop_all()

    def _stop_all(self) -> None:
        reason = "" if self._failure is None else self._failure.message
        if self._failure is not None and self._failure.operator:
            reason = f"operator {self._failure.operator!r} failed: {reason}"
        for run in self._runs.values():
            run.stop(reason)


def run_pipeline(
    pipeline: Pipeline, settings: Settings | None = None, observe: Observer = ignore
) -> RunResult:
    """Run a pipeline and wait for its end; Ctrl-C stops it.

    Parameters
    ----------
    pipeline
        Resolved and checked.
    settings
        How it is to be run.
    observe
        Told of every event.

    Returns
    -------
    RunResult
        Also of a job that failed: look at its `status`.

    Raises
    ------
    PipelineError
        The job could not be started.

    Examples
    --------
    >>> from clara_fastio.pipeline import load_definition
    >>> result = run_pipeline(load_definition("pipeline.yaml").resolve())  # doctest: +SKIP
    """

    async def run() -> RunResult:
        runner = Runner(pipeline, settings, observe)
        with interruptible(runner):
            return await runner.run()

    return asyncio.run(run())
