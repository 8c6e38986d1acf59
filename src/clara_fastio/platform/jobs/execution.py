# SPDX-License-Identifier: Apache-2.0
"""One running job, seen from the server: its runner, what that tells, and how it ended."""

from __future__ import annotations

import asyncio
import logging
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clara_fastio.errors import FastIOError, LayoutError
from clara_fastio.platform.jobs.job_program import LONGEST_LINE
from clara_fastio.platform.jobs.supervision import LOST
from clara_fastio.platform.jobs.supervisor import NOT_STARTED
from clara_fastio.platform.records.jobs import OperatorRecord
from clara_fastio.platform.records.states import JobStatus, OperatorStatus
from clara_fastio.runner.channel import Channel

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from clara_fastio.platform.jobs.plan import Plan
    from clara_fastio.platform.jobs.supervision import Supervision

_LOG = logging.getLogger("clara_fastio.platform")
#: Seconds beyond time limit and grace after which a runner that is still there is killed.
_MARGIN = 10.0


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes
    ----------
    edges
        Bytes that went by ``memory``, by ``stream`` and by ``disk``.
    frames
        Frames of its streams by what became of them, such as ``accepted`` and ``dropped``.
    """

    status: JobStatus
    messages: tuple[str, ...]
    edges: Mapping[str, int] = field(default_factory=dict)
    frames: Mapping[str, int] = field(default_factory=dict)


class Execution:
    """Runs one job in a process of its own.

    Parameters
    ----------
    supervision
        Starts the process.
    follow
        Told of each operator whose status changes, one after the other.
    """

    def __init__(
        self, supervision: Supervision, follow: Callable[[OperatorRecord], Awaitable[None]]
    ) -> None:
        self._supervision = supervision
        self._follow = follow
        self._channel: Channel | None = None
        self._reason: str | None = None
        self._result: Outcome | None = None
        self._is_overdue = False
        #: Set by the first :meth:`cancel`.
        self.canceled = asyncio.Event()
        #: Bytes of shared memory that the job holds, as last told.
        self.memory = 0

    async def run(self, plan: Plan) -> Outcome:
        """Run the job to its end; nothing of it is alive afterwards."""
        channel, theirs = Channel.pair()
        try:
            with theirs:
                await channel.open(LONGEST_LINE)
                ended = await self._supervision.start(plan.job_id, theirs)
        except (FastIOError, OSError) as error:
            channel.close()
            _LOG.error("job %s cannot be run: %s", plan.job_id, error, extra={"job": plan.job_id})
            return Outcome(JobStatus.FAULTED, ("the server could not start a process for it",))
        limit = plan.timeout + plan.grace + _MARGIN
        watchdog = asyncio.get_running_loop().call_later(limit, self._give_up, plan.job_id)
        try:
            channel.send_message("plan", plan=plan.to_json())
            self._channel = channel
            if self._reason is not None:
                channel.send_message("cancel", reason=self._reason)
            try:
                await self._listen(channel)
            except LayoutError:  # It does not speak our language, so that nothing can be expected.
                await self._supervision.kill(plan.job_id)
            return self._judge(await ended, plan)
        finally:
            watchdog.cancel()
            channel.close()

    @property
    def reason(self) -> str:
        """Why it was canceled, if it was."""
        return self._reason or ""

    def cancel(self, reason: str) -> bool:
        """Ask the job to stop; whether this was the first time, as later reasons do not count."""
        if self._reason is not None:
            return False
        self._reason = reason
        self.canceled.set()
        if self._channel is not None:
            self._channel.send_message("cancel", reason=reason)
        return True

    async def _listen(self, channel: Channel) -> None:
        async for message in channel.messages():
            if message["kind"] == "operator":
                await self._follow(_operator(message))
            elif message["kind"] == "result":
                texts = tuple(storable(text) for text in message["messages"])
                self._result = Outcome(
                    JobStatus(message["status"]), texts, message["edges"], message["frames"]
                )
            elif message["kind"] == "memory":
                self.memory = message["nbytes"]

    def _give_up(self, job_id: str) -> None:
        self._is_overdue = True
        self._killing = asyncio.ensure_future(self._supervision.kill(job_id))

    def _judge(self, code: int, plan: Plan) -> Outcome:
        if self._result is not None:
            return self._result
        if self._is_overdue:
            text = f"the job did not end at its time limit of {plan.timeout:g} s; it was killed"
            return Outcome(JobStatus.TERMINATED, (text,))
        return Outcome(JobStatus.FAULTED, (f"{_describe(code)}; its operators were stopped",))


def storable(text: str) -> str:
    """Replace the characters that not every database can keep."""
    return text.encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def _describe(code: int) -> str:
    if code == LOST:
        return "the process that watches over the runners has died, and the job's runner with it"
    if code == NOT_STARTED:
        return "the system could not start the job's runner, there are too many processes"
    if code < 0:
        return f"the job's runner was killed by {signal.Signals(-code).name}"
    return f"the job's runner ended with code {code} before it could report"


def _operator(message: dict[str, Any]) -> OperatorRecord:
    return OperatorRecord(
        name=message["name"],
        status=OperatorStatus(message["status"]),
        created=0,
        started=message["started"],
        stopped=message["stopped"],
    )
