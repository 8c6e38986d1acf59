# SPDX-License-Identifier: Apache-2.0
"""What a run did: the same shapes for a snapshot on the way and for the end."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from clara_fastio.runner.stream_report import StreamReport


class RunStatus(StrEnum):
    """How the job stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed-out"
    INTERRUPTED = "interrupted"


class OperatorState(StrEnum):
    """What an operator is doing, or how it ended."""

    PENDING = "pending"
    STARTING = "starting"
    PREPARE = "prepare"
    WAITING = "waiting"
    EXECUTE = "execute"
    CLEANUP = "cleanup"
    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Failure:
    """The first failure of a job, which decides it.

    `operator` is empty when the job itself failed, for example by its time limit. `traceback` is
    what its driver sent; of a process that ended without sending one, `output` holds the last
    lines. `seconds` is the time since the job's start.
    """

    operator: str
    phase: str
    error: str
    message: str
    seconds: float
    traceback: str = ""
    output: str = ""


@dataclass(frozen=True)
class OperatorReport:
    """One operator; times in seconds, memory in bytes, ``None`` where there is no such time."""

    name: str
    state: OperatorState
    pid: int | None
    starting: float | None
    prepare: float | None
    wait: float | None
    execute: float | None
    cleanup: float | None
    peak_memory: int | None
    exit_code: int | None
    log: str


@dataclass(frozen=True)
class EdgeReport:
    """What went from one operator to another; `source` is empty for the job's own input.

    `medium` is ``"memory"``, ``"stream"`` or ``"disk"``; of the first two `memory` says where they
    lie as declared, ``"host"`` or ``"device"``, and is empty for the last. `nbytes` is the size of
    the variable times its committed `versions`, that of a slot times the frames taken, or the size
    of the folder.
    """

    source: str
    output: str
    target: str
    input: str
    medium: str
    memory: str
    nbytes: int
    versions: int


@dataclass(frozen=True)
class RunResult:
    """A job: while it runs, and at its end.

    `signal` is the one that interrupted it. `directory` holds ``operators/`` and ``logs/``;
    ``None`` when nothing was kept.
    """

    job_id: str
    pipeline: str
    context: str
    status: RunStatus
    seconds: float
    failure: Failure | None
    signal: int | None
    operators: tuple[OperatorReport, ...]
    edges: tuple[EdgeReport, ...]
    streams: tuple[StreamReport, ...]
    directory: Path | None

    @property
    def losses(self) -> list[str]:
        """What streams lost, in words: a sentence for each that lost any frame."""
        lines = []
        for stream in self.streams:
            name = f"{stream.operator}.{stream.output}"
            lines += [f"{name}: {stream.remark}"] if stream.remark else []
            lines += [
                f"{name} to {edge.target}: {edge.remark}" for edge in stream.edges if edge.remark
            ]
        return lines

    def to_json(self) -> dict[str, Any]:
        """Give the same facts as values that JSON knows."""
        values = asdict(self)
        values["directory"] = None if self.directory is None else str(self.directory)
        return values
